"""Two runs side by side: what may be compared, and what is said about it."""

import json

import pytest

from khhw.cli import main
from khhw.machine.results import Results
from khhw.report.compare.latency import latency_changes, latency_words
from khhw.report.compare.matrix import matrix_changes, matrix_words
from khhw.report.compare.memcached import memcached_changes, memcached_words
from khhw.report.compare.pair import MismatchError, Pair, differing, may_differ
from tests.report.synthetic import synthetic_results
from tests.report.synthetic_memcached import demo, study

ROUTER = "my_router:MyRouter"


def run_of(points=(), **changes):
    results = synthetic_results(cpu_model="ppc450", **changes)
    results.parameters |= {"parts": {}, "host": {"cpu": "ppc450", "cpu_scale": 1.0},
                           "phases": [{"name": "slide1", "kernels": [{"kernel": "probe", "nodes": "all"}]}]}
    results.results.memcached = list(points)
    return results


def faster(results, factor=0.9):
    """The same run with a router that takes a tenth less time for RDMA and a cycle less a hop."""
    other = results.model_copy(deep=True)
    other.parameters["parts"] = {"router": ROUTER}
    for sample in other.results.latency:
        sample.cycles -= sample.hops
    for p in other.results.memcached:
        if p.path == "rdma":
            p.latency_cycles.p50 *= factor
            p.quantiles = [round(value * factor) for value in p.quantiles]
            p.ops_per_second /= factor
    return other


def pair_of(first, second):
    return Pair(first, second, ("base", "mine"))


@pytest.fixture
def folders(tmp_path):
    runs = {"base": run_of(demo()), "mine": faster(run_of(demo()))}
    for name, results in runs.items():
        (tmp_path / name).mkdir()
        results.write(tmp_path / name / "results.json")
    return tmp_path


class TestWhatMayDiffer:
    def test_parts_name_and_version(self):
        other = faster(run_of(name="mine", version="0.2.0"))
        assert differing(run_of(), other) == []
        assert may_differ(run_of(), other) == [("name", "\"The talk's machine\"", "'mine'"),
                                               ("version", "'0.1.0'", "'0.2.0'"),
                                               ("parts.router", "khhw's own", f"'{ROUTER}'")]

    @pytest.mark.parametrize(("path", "value", "line"), [
        (("torus", "shape"), [4, 2, 1], ("torus.shape", "[2, 2, 2]", "[4, 2, 1]")),
        (("node", "slots"), 4, ("node.slots", "3", "4")),
        (("host", "cpu_scale"), 2.0, ("host.cpu_scale", "1.0", "2.0")),
        (("phases", 0, "kernels", 0, "kernel"), "attack", ("phases[0].kernels[0].kernel", "'probe'", "'attack'")),
        (("node", "more"), 1, ("node.more", "absent", "1")),
    ])
    def test_parameters(self, path, value, line):
        other = run_of().model_copy(deep=True)
        place = other.parameters
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        assert differing(run_of(), other) == [line]

    def test_a_phase_less(self):
        other = run_of().model_copy(deep=True)
        other.parameters["phases"] = []
        assert ("phases[0].name", "'slide1'", "absent") in differing(run_of(), other)

    def test_the_seed_of_the_run_counts(self):
        other = run_of(seed=2)
        other.parameters["seed"] = 1
        assert differing(run_of(), other) == [("seed", "1", "2")]
        other = run_of()
        other.parameters["seed"] = 7
        assert differing(run_of(), other) == []

    def test_a_study_is_no_run(self):
        assert differing(run_of(), run_of(command="memcached")) == [("command", "'run'", "'memcached'")]

    def test_refusal_lists_every_key_with_both_values(self):
        other = run_of(seed=2)
        other.parameters["torus"] = {"shape": [4, 2, 1]}
        with pytest.raises(MismatchError) as refusal:
            pair_of(run_of(), other)
        assert [key for key, _, _ in refusal.value.keys] == ["torus.shape", "seed"]
        assert "  torus.shape  [2, 2, 2]  |  [4, 2, 1]\n  seed         1  |  2\n" in str(refusal.value)


class TestWords:
    def test_latency(self):
        pair = pair_of(run_of(), faster(run_of()))
        assert {c.where: c.first - c.second for c in latency_changes(pair) if c.group == "distance"} == {
            f"8 bytes over {distance}": saved for saved, distance in enumerate(["no hop", "1 hop", "2 hops", "3 hops"])}
        assert latency_words(pair)[0] == (
            "In mine the smallest messages take a median of 63 cycles instead of 63 (0 %) over no hop and 87.5 cycles "
            "instead of 90.5 (-3.3 %) over 3 hops.")

    def test_messages_that_both_timed(self):
        other = run_of()
        other.results.latency = [s for s in other.results.latency if s.hops == 1]
        assert {c.where for c in latency_changes(pair_of(run_of(), other)) if c.group == "distance"} == {
            "8 bytes over 1 hop"}

    def test_matrices(self):
        other = run_of()
        other.results.matrix["slide2"].observed[0][1] = 1
        other.results.matrix["slide2"].observed[4][3] = 0
        pair = pair_of(run_of(), other)
        assert matrix_changes(pair) == {"slide1": [], "slide2": [(0, 1), (4, 3)]}
        assert matrix_words(pair) == ["Both runs observed the same cells in slide1.",
                                      "slide2: 2 cells differ: 0→1 only in mine, 4→3 only in base."]

    def test_memcached(self):
        pair = pair_of(run_of(study()), faster(run_of(study())))
        found = [c for c in memcached_changes(pair) if c.quantity == "median, cycles"]
        assert {round(c.ratio, 3) for c in found if c.group == "RDMA GET"} == {0.9}
        assert {c.ratio for c in found if c.group == "TCP GET"} == {1.0}
        said = memcached_words(pair)
        assert "RDMA GET: medians -10 % in all 48 measurements; operations/s +11 %." in said
        assert "TCP SET: medians 0 % in all 44 measurements; operations/s 0 %." in said
        assert ("Over software cost, GET of 64 bytes, 4,096 bytes and 65,536 bytes: RDMA wins throughout in both."
                in said)

    def test_a_change_of_the_winner(self):
        pair = pair_of(run_of(study()), faster(run_of(study()), factor=2.0))
        said = [text for text in memcached_words(pair) if text.startswith("Over software cost, GET of 65,536 bytes")]
        assert len(said) == 1
        assert "in base RDMA wins throughout" in said[0] and "in mine the winner changes at" in said[0]

    def test_a_spread(self):
        other = faster(run_of(study()), factor=1.0)
        slow = next(p for p in other.results.memcached if p.path == "rdma" and p.op == "get" and p.value_bytes == 64)
        slow.latency_cycles.p50 *= 2
        text = memcached_words(pair_of(run_of(study()), other))
        assert any("from 0 % (" in line and "to +100 % (64 bytes)" in line for line in text)


class TestCommand:
    def test_again(self, folders, capsys):
        assert main(["report", str(folders / "base"), "--file", "examples/mine.toml"]) == 0
        assert {path.suffix for path in (folders / "base").iterdir()} == {".json", ".html", ".png", ".csv"}
        assert "khhw run examples/mine.toml" in (folders / "base" / "report.html").read_text(encoding="utf-8")
        assert "RDMA" in capsys.readouterr().out

    def test_two(self, folders, capsys):
        out = folders / "both"
        assert main(["report", str(folders / "base"), str(folders / "mine"), "-o", str(out)]) == 0
        said = capsys.readouterr().out
        assert f"parts.router (khhw's own and '{ROUTER}')" in said
        assert "RDMA GET: medians -10 % in all 2 measurements" in said
        names = {path.stem for path in out.iterdir() if path.suffix == ".png"}
        assert names == {"compare_matrix_slide1", "compare_matrix_slide2", "compare_latency", "compare_memcached_cdf"}
        assert names == {path.stem for path in out.glob("*.csv")}
        page = (out / "report.html").read_text(encoding="utf-8")
        assert page.count('src="data:image/png;base64,') == 4
        assert '<span class="good">better</span> -10 %' in page and '<span class="bad">worse' not in page

    def test_json(self, folders, capsys):
        assert main(["report", str(folders / "base"), str(folders / "mine"), "-o", str(folders / "j"), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert set(found) == {"version", "provenance", "seed", "parameters", "build", "cpu_model", "results"}
        assert {number["per_cent"] for number in found["results"]["numbers"]
                if "RDMA" in number["where"] and number["quantity"] == "median, cycles"} == {-10.0}

    def test_refusal(self, folders, capsys):
        other = Results.read(folders / "mine" / "results.json")
        other.seed = 5
        other.write(folders / "mine" / "results.json")
        out = folders / "both"
        assert main(["report", str(folders / "base"), str(folders / "mine"), "-o", str(out)]) == 2
        assert "seed  1  |  5" in capsys.readouterr().err
        assert not out.exists()

    @pytest.mark.parametrize(("content", "said"), [
        (None, "is not there; khhw run FILE.toml"), ("{", "holds no results"), ('{"version": "1"}', "holds no results"),
        (b"\xff\xfe", "holds no results")])
    def test_no_results(self, folders, capsys, content, said):
        file = folders / "mine" / "results.json"
        file.unlink()
        if content is not None:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        assert main(["report", str(folders / "base"), str(folders / "mine")]) == 2
        assert f"{file}" in (error := capsys.readouterr().err) and said in error

    def test_three(self, folders, capsys):
        assert main(["report", *3 * [str(folders / "base")]]) == 2
        assert "one folder, or two" in capsys.readouterr().err
