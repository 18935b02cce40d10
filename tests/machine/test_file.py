"""A machine file that cannot be run is refused with its line and its remedy, before anything is built."""

import re
import secrets
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khhw.cli import main
from khhw.machine.file import schema
from khhw.machine.reading import MachineFileError, load

TALK = Path(__file__).parents[2] / "examples" / "talk.toml"


def write(folder: Path, text: str) -> Path:
    file = folder / "machine.toml"
    file.write_text(text)
    return file


def test_the_talks_machine_loads() -> None:
    machine = load(TALK)
    assert machine.nodes == 8
    slide1 = machine.matrix("slide1")
    assert slide1[0].nonzero()[0].tolist() == [0, 3, 4]
    assert (slide1 == slide1.T).all()
    assert not (machine.matrix("slide2") == machine.matrix("slide2").T).all()


@pytest.mark.parametrize(("text", "line", "words"), [
    ("[torus]\nshap = [2,2,2]", 2, "torus.shap: unknown key; keys here are shape"),
    ("[torus]\nshape = [2,2,'2']", 2, r"torus\.shape\[2\]: Input should be a valid integer"),
    ("[torus]\nshape = [2,2,0]", 2, "sizes from 1 to 64, not \\[2, 2, 0\\]"),
    ("[torus]\nshape = [65,1,1]", 2, "sizes from 1 to 64"),
    ("[torus]\nshape = [64,64,64]", 2, "need 18 bits; 16 are the limit"),
    ("[torus]\nshape = [8,8,8]", 2, "make it 512"),
    ("[torus]\nshape = [8,8,8]\n[node]\ntable_nodes = 256", 4, "make it 512"),
    ("[torus]\nshape = '2x2x2'", 2, "Input should be a valid array, not '2x2x2'"),
    ("name = 'x'\n[torus]\n", 2, "torus.shape: Field required"),
    ("[node]\nmemory_bytes = 4096", 2, "at least 32768 bytes"),
    ("[node]\ninjection_rings = 1", 2, "the driver needs 2, not 1"),
    ("[node]\ncounters = 2", 2, "the kernels need 4, not 2"),
    ("[[phases]]\nname='a'\nmeasure='attacks'\nkernels=[{kernel='victim'}]", 3, "attack on one node"),
    ("[[phases]]\nname='a'\nmeasure='matrix'\nkernels=[{kernel='victim'}]", 3, "the kernel probe on all nodes"),
    ("[[phases]]\nname='a'\nmeasure='matrix'\nkernels=[{kernel='probe'}]", 3, 'write arguments = "seed={seed}"'),
    ("[[phases]]\nname='a'\nmeasure='matrix'\nkernels=[{kernel='probe', arguments='settle=9 seed=1'}]", 3,
     'write arguments = "seed={seed} settle=9"'),
    ("[[phases]]\nname='a'\nmeasure='memcached'\nkernels=[{kernel='victim'}]", 3, "memcached_load"),
    ("[[phases]]\nname='a'\nkernels=[{nodes=[1], kernel='memcached_load', arguments='server=0 pathh=tcp'}]", 3,
     "no option 'pathh=tcp'.* check="),
    ("[[phases]]\nname='a'\nkernels=[{nodes=[1], kernel='memcached_load', arguments='server=0 clients=1,5'}]", 3,
     "names node 5, where memcached_load does not boot"),
    ("[[phases]]\nname='a'\nkernels=[{nodes=[1], kernel='memcached_load', arguments='server=9'}]", 3, "server=9"),
    ("[memcached]\nsizez = [1]", 2, "keys here are clients, domains, operations"),
    ("[serve]\nsrver = 1", 2, "gateway"),
    ("[memcached]\nscales = [0.00001]", 2, "scales are from 0.001 to 1000"),
    ("[memcached]\nsizes = [64, 64]", 2, "each is measured once"),
    ("[memcached]\nsize = 300000", 2, "memcached.size: values have 1 to"),
    ("[memcached]\nclients = [0]", 2, "names the server"),
    ("[memcached]\nclients = [9]", 2, "no node 9"),
    ("[memcached]\nsizes = [64]", 1, "node.memory_bytes = 2097152"),
    ("[node]\nmemory_bytes = 4194304\n[domains.d]\nrules = ['0 -> 1']\n[memcached]\ndomains = 'd'", 6,
     "d does not allow node 1 -> node 0"),
    ("[parts]\nrouter = 'json:JSONDecoder'", 2, "no amaranth.lib.wiring.Component"),
    ("[node]\n\nlanes = 7", 3, "lanes must be an integer from 1 to 6, not 7"),
    ("[node]\nlane = 7", 2, "node.lane: unknown key; keys here are bubble, counters"),
    ("[host]\ncpu = 'x86'", 2, "host.cpu: Input should be 'ideal'"),
    ("[domains.a]\nmatrix = [[1,0],[0,1]]", 2, "the matrix must be 8x8"),
    ("[domains.a]\nmatrix = [[1,0],[0,2]]", 2, "0 or 1"),
    ("[domains.a]\nrules = [\n'0 -> 1',\n'0 -> 9',\n]", 4, "no node 9; nodes are 0 to 7"),
    ("[domains.a]\ngroups.web = [0, 8]", 2, "no node 8; nodes are 0 to 7"),
    ("[domains.a]\n", 1, "exactly one of matrix, groups and rules"),
    ("[[phases]]\nname='a'\ndomains='b'", 3, "unknown domains 'b'"),
    ("[[phases]]\nname='A 1'", 2, "a lower-case letter, then lower-case letters, digits and _, not 'A 1'"),
    ("[[phases]]\nname='a'\nkernels=[{kernel='probe'},\n{nodes=[1], kernel='victim'}]", 4,
     "node 1 boots 'probe' already"),
    ("[[phases]]\nname='a'\nkernels=[{kernel='nonsense'}]", 3, "no kernel 'nonsense'"),
    ("[[phases]]\nname='a'\nkernels=[{kernel='mine.py'}]", 3, "no kernel file"),
    ("[[phases]]\nname='a'\nkernels=[{kernel='mine/'}]", 3, r"no kernel file .*mine/main\.py"),
    ("[[phases]]\nname='a'\n[[phases.kernels]]\nkernel='chat'\narguments=\"a=1\\n\"", 5,
     r"kernels\[0\]\.arguments: .* no control characters; '\\n' is in it, behind 'boot 0x.* a=1'"),
    ("[[phases]]\nname='a'\nkernels=[\n{nodes=[1], kernel='chat'},\n"
     "{nodes=[2], kernel='chat', arguments=\"a\\u001bb\"}]", 5, r"no control characters; '\\x1b' is in it"),
    ("[serve]\narguments = \"\"\"a=1\nb=2\"\"\"", 2, r"serve\.arguments: .* no control characters; '\\n'"),
    (f"[serve]\narguments = '{'x' * 17_000}'", 2, "a console line has at most 16,384 bytes; .* would have 17,017"),
    (f"[[phases]]\nname='a'\nkernels=[{{kernel='chat', arguments='{'{seed} ' * 1000}'}}]", 3, "would have 21,0"),
    ("[[phases]]\nname='a'\n[[phases]]\nname='a'", 2, "two phases are named 'a'"),
    ("[parts]\nrouter = 'nonsense.router:Router'", 2, "no module 'nonsense"),
    ("[parts]\nrouter = 'rtl.torus.router'", 2, 'write "module:Class"'),
    ("[parts]\nrouter = 'rtl.torus.router:Rooter'", 2, "no class 'Rooter'"),
    ("[parts]\nrouter = 'rtl.memory:NodeMemory'", 2, "cannot be the router: missing ports"),
    ("[parts]\nrooter = 'x:y'", 2, "parts.rooter"),
    ("name = ", 1, "is not TOML"),
    ("seed = -1", 1, "seed: Input should be greater than or equal to 0"),
])
def test_bad_files_are_refused_with_line_and_mend(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(MachineFileError, match=words) as caught:
        load(write(tmp_path, text if "[torus]" in text else f"{text}\n[torus]\nshape = [2, 2, 2]\n"))
    assert Path(caught.value.file).name == "machine.toml"
    found = [at for at, message in caught.value.problems if re.search(words, message)]
    assert line in found


ALL = """\
name = 5
[torus]
shape = [2, 2, 2]
[node]
lane = 7
[domains.a]
rules = [
  "0 -> 9",
  "0 -> 1",
  "1 -> x",
]
[domains.b]
rulez = ["0 -> 1"]
[[phases]]
name = "one"
domains = "none"
kernels = [
  { nodes = [0], kernel = "nonsense" },
  { nodes = [99], kernel = "probe" },
]
measure = "nothing"
[[phases]]
name = "two"
domains = "b"
kernels = [{ nodes = "some", kernel = 5 }]
[serve]
server = 8
gateway = 8
"""


def test_all_errors_of_a_file_are_said_at_once_each_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(MachineFileError) as caught:
        load(write(tmp_path, ALL))
    wanted = {
        1: "name: Input should be a valid string, not 5", 5: "node.lane: unknown key", 8: "no node 9; nodes are 0 to 7",
        10: "'x' is no node", 13: "domains.b.rulez: unknown key; keys here are groups, matrix, rules",
        16: "unknown domains 'none'; known are a, b", 18: "no kernel 'nonsense'", 19: "no node 99",
        21: "no measurement 'nothing'", 25: "phases[1].kernels[0].kernel: Input should be a valid string, not 5"}
    lines = str(caught.value).splitlines()
    assert dict.fromkeys(wanted, True) == {
        line: any(f"machine.toml:{line}: " in said and words in said for said in lines)
        for line, words in wanted.items()}
    assert [at for at, _ in caught.value.problems] == [1, 5, 8, 10, 13, 16, 18, 19, 21, 25, 25, 27, 28, 28]
    assert "nodes: Input should be 'all', or input should be a valid array, not 'some'" in str(caught.value)


def test_errors_of_a_large_matrix_are_not_all_listed(tmp_path: Path) -> None:
    text = f"[torus]\nshape = [8, 8, 1]\n[domains.a]\nmatrix = {[[5] * 64] * 64}\n"
    with pytest.raises(MachineFileError, match=r"and 4076 more errors$") as caught:
        load(write(tmp_path, text))
    assert len(str(caught.value).splitlines()) == 21


@pytest.mark.parametrize(("content", "words"), [
    (b"\xef\xbb\xbf[torus]\nshape = [2, 2, 2]\nseed = 1\n", r":3: torus\.seed: unknown key"),
    (b"x = " + b"[" * 2000 + b"]" * 2000, ":1: has brackets in brackets too deep to be read"),
    (b"[torus]\nshape = " + b"[" * 300 + b"]" * 300, "has brackets in brackets too deep to be read"),
    (b"seed = " + b"1" * 5000, ":1: has a number with too many digits to be read"),
    (b"[torus]\nshape = [2, 2, 2]\n[domains.a]\nrules = ['0 -> " + b"1" * 5000 + b"']", "' is no node; write 3, 4-7"),
    (b"# f\xfcr\n[torus]\nshape = [2, 2, 2]\n", ":1: is not in UTF-8, the byte 0xfc is none of it"),
])
def test_what_is_no_text_in_utf_8_is_told_from_what_has_a_mark(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "machine.toml"
    file.write_bytes(content)
    with pytest.raises(MachineFileError, match=words):
        load(file)


def test_a_mark_in_front_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "machine.toml"
    mark = b"\xef\xbb\xbf"
    (tmp_path / "mine.py").write_bytes(mark + b"async def main(node, arguments): pass\n")
    file.write_bytes(mark + b"name = 'marked'\r\n[torus]\r\nshape = [2, 1, 1]\r\n[[phases]]\r\nname = 'a'\r\n"
                     b"kernels = [{ kernel = 'mine.py' }]\r\n")
    assert load(file).name == "marked"


def test_a_kernel_that_memory_has_no_room_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.py").write_text(f"X = {secrets.token_hex(20_000)!r}\nasync def main(node, arguments): ...\n")
    text = ("[torus]\nshape = [2,1,1]\n[node]\nmemory_bytes = 32768\n"
            "[[phases]]\nname='a'\nkernels=[{kernel='large.py'}]")
    with pytest.raises(MachineFileError, match=r"the image of 'large.py' has 2[0-9,]+ bytes; .* leaves 2") as caught:
        load(write(tmp_path, text))
    assert caught.value.line == 7


def test_a_missing_file_is_named() -> None:
    with pytest.raises(MachineFileError, match=r"absent\.toml:1: cannot be read"):
        load("absent.toml")


@given(matrix=st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(st.integers(0, 1), min_size=n, max_size=n), min_size=n, max_size=n)))
def test_a_matrix_and_its_rules_say_the_same(tmp_path_factory: pytest.TempPathFactory, matrix: list[list[int]]) -> None:
    rules = [f"{source} -> {' '.join(str(d) for d, bit in enumerate(row) if bit)}"
             for source, row in enumerate(matrix) if any(row)]
    text = (f"[torus]\nshape = [{len(matrix)}, 1, 1]\n[domains.m]\nmatrix = {matrix}\n"
            f"[domains.r]\nrules = {rules}\n")
    machine = load(write(tmp_path_factory.mktemp("machine"), text))
    assert np.array_equal(machine.matrix("m"), np.array(matrix, dtype=bool))
    assert np.array_equal(machine.matrix("r"), machine.matrix("m"))


def test_the_schema_documents_every_key() -> None:
    for definition in schema()["$defs"].values():
        for name, field in definition.get("properties", {}).items():
            assert "description" in field or "$ref" in field or definition.get("title") == "Parameters", name


def test_a_kernel_that_cannot_be_an_image_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import os\n\nasync def main(node, arguments):\n    pass\n")
    text = "[torus]\nshape = [2, 2, 2]\n[[phases]]\nname = 'a'\nkernels = [{ kernel = 'mine.py' }]\n"
    with pytest.raises(MachineFileError, match=r"machine\.toml:5: .* may not import 'os'"):
        load(write(tmp_path, text))


def test_a_part_that_raises_is_refused_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "broken_part.py").write_text("raise RuntimeError('half a router')\n")
    with pytest.raises(MachineFileError, match=r":2: parts\.router: .*RuntimeError: half a router"):
        load(write(tmp_path, "[parts]\nrouter = 'broken_part:Router'\n[torus]\nshape = [2, 2, 2]\n"))


def test_parts_of_the_command_line_win(tmp_path: Path) -> None:
    file = write(tmp_path, "[parts]\nrouter = 'nonsense:Router'\n[torus]\nshape = [2, 2, 2]\n")
    assert load(file, parts={"router": "rtl.torus.router:Router"}).parts["router"] == "rtl.torus.router:Router"


def test_a_folder_is_a_kernel(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "words.py").write_text("WORD = 'hello'\n")
    (tmp_path / "mine" / "main.py").write_text("from mine.words import WORD\nasync def main(node, text):\n    pass\n")
    file = tmp_path / "machine.toml"
    file.write_text("[torus]\nshape = [2, 2, 2]\n[[phases]]\nname = 'a'\nkernels = [{ kernel = 'mine/' }]\n")
    assert load(file).phases[0].kernels[0].kernel == "mine/"
    (tmp_path / "mine" / "words.py").write_text("import os\n")
    with pytest.raises(MachineFileError, match="may not import 'os'"):
        load(file)


def test_parts_of_the_command_line_are_named_as_it_says_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:
    file = write(tmp_path, "[parts]\nguard = 'nonsense:Guard'\n[torus]\nshape = [2, 2, 2]\n")
    assert main(["run", str(file), "--part", "router=nowhere:Router", "-o", str(tmp_path / "out")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("khhw: --part router=nowhere:Router: no module 'nowhere'")
    assert second.startswith(f"{file}:2: parts.guard: no module 'nonsense'")


def test_a_port_of_the_command_line_is_named_as_it_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path, "[torus]\nshape = [2, 2, 2]\n[node]\nmemory_bytes = 1048576\n")
    assert main(["serve", str(file), "--console-port", "65530", "-o", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "khhw: --console-port: 9 ports from 65530 on end behind 65535\n"
