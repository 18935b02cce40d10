"""The reference pages in docs are what the sources say, and their diagrams are right."""

import re
import tomllib
from pathlib import Path

import pytest

from khhw.commands.reference import pages
from khhw.export.diagram import bit_diagram
from khhw.machine.reading import load
from khhw.machine.results import Results
from rtl.formats import FORMATS
from rtl.registers import REGISTERS
from tests.report.synthetic import synthetic_results

DOCS = Path(__file__).parents[2] / "docs"
PAGES = pages()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_current(name):
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name], (
        f"docs/{name} is not what its sources say; write it again with: khhw reference")


def test_everything_is_there():
    assert all(f"### {name}\n" in PAGES["formats.md"] for name in FORMATS)
    assert all(f"### {name}\n" in PAGES["registers.md"] for name in REGISTERS)
    assert all(f"`{name}`" in PAGES["results.md"] for name in Results.model_fields)


class TestDiagram:
    def test_two_rows(self):
        assert bit_diagram([("high", 60, 4), ("wide", 16, 44), ("low", 0, 16)]).splitlines() == [
            " 63     60 59                                                  32",
            "+---------+------------------------------------------------------+",
            "|  high   |                     wide[43:16]                      |",
            "+---------+------------------------------------------------------+",
            " 31                           16 15                             0",
            "+-------------------------------+--------------------------------+",
            "|          wide[15:0]           |              low               |",
            "+-------------------------------+--------------------------------+",
        ]

    def test_reserved_bits_have_no_name(self):
        assert "reserved" not in bit_diagram([("reserved", 1, 31), ("bit", 0, 1)])

    @pytest.mark.parametrize("name", FORMATS)
    def test_every_bit_has_its_place(self, name):
        text = PAGES["formats.md"].split(f"### {name}\n")[1].split("```")[1]
        numbers = [int(number) for line in text.splitlines() if re.fullmatch(r"[\d ]+", line)
                   for number in line.split()]
        assert numbers[0] == FORMATS[name].size - 1
        assert numbers[-1] == 0
        assert numbers == sorted(numbers, reverse=True)


class TestExamples:
    def blocks(self, page, language):
        return re.findall(rf"```{language}\n(.*?)```", PAGES[page], re.DOTALL)

    def test_domains_say_the_same(self, tmp_path):
        file = tmp_path / "machine.toml"
        file.write_text("[torus]\nshape = [4, 1, 1]\n" + self.blocks("machine-file.md", "toml")[0])
        machine = load(file)
        matrices = [machine.matrix(name).tolist() for name in machine.domains]
        assert len(matrices) == 3
        assert matrices[0] == matrices[1] == matrices[2]

    def test_all_toml_parses(self):
        assert all(tomllib.loads(block) for block in self.blocks("machine-file.md", "toml"))

    def test_results_from_python(self, tmp_path, monkeypatch, capsys):
        (tmp_path / "out" / "demo").mkdir(parents=True)
        synthetic_results().write(tmp_path / "out" / "demo" / "results.json")
        monkeypatch.chdir(tmp_path)
        exec(self.blocks("results.md", "python")[0], {})
        assert capsys.readouterr().out.splitlines() == [
            "done True", "slide1 30 pairs observed", "slide2 26 pairs observed", "(540, 5)"]
