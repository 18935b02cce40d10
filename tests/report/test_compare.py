"""Two runs side by side: what may be compared, and what is said about it."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from khhw.cli import main
from khhw.machine.results import LatencySample, Results
from khhw.machine.spread import BATCHES
from khhw.report.change import RATE, Change, confidence_of, judge
from khhw.report.compare.comparison import compare
from khhw.report.compare.latency import latency_changes
from khhw.report.compare.matrix import matrix_changes, matrix_words
from khhw.report.compare.memcached import memcached_assumed, memcached_changes
from khhw.report.compare.pair import MismatchError, Pair, differing, may_differ
from khhw.report.compare.write import verdicts
from khhw.report.estimate import Estimate, counted, reading
from khhw.report.estimate import median as median_of
from khhw.report.memcached.estimates import median
from khhw.report.software import phase_software, software_words
from tests.report.synthetic import synthetic_results
from tests.report.synthetic_memcached import FLOOD, QUIET, demo, point, study

ROOT = Path(__file__).resolve().parents[2]
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


def words_of(pair, name):
    return compare(pair).words(name)


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
        table = other.parameters
        for key in path[:-1]:
            table = table[key]
        table[path[-1]] = value
        assert differing(run_of(), other) == [line]

    def test_a_phase_less(self):
        other = run_of().model_copy(deep=True)
        other.parameters["phases"] = []
        assert ("phases[0].name", "'slide1'", "absent") in differing(run_of(), other)

    def test_the_seed_of_the_run_counts(self):
        other = run_of(seed=2)
        other.parameters["seed"] = 1
        assert differing(run_of(), other) == []
        assert may_differ(run_of(), other) == [("seed", "1", "2")]
        other = run_of()
        other.parameters["seed"] = 7
        assert may_differ(run_of(), other) == []

    def test_a_study_is_no_run(self):
        assert differing(run_of(), run_of(command="memcached")) == [("command", "'run'", "'memcached'")]

    def test_refusal_lists_every_key_with_both_values(self):
        other = run_of(clock_hz=1_000_000)
        other.parameters["torus"] = {"shape": [4, 2, 1]}
        with pytest.raises(MismatchError) as refusal:
            pair_of(run_of(), other)
        assert [key for key, _, _ in refusal.value.keys] == ["torus.shape", "clock_hz"]
        assert "  torus.shape  [2, 2, 2]  |  [4, 2, 1]\n  clock_hz     53125000  |  1000000\n" in str(refusal.value)


class TestWords:
    def test_latency(self):
        pair = pair_of(run_of(), faster(run_of()))
        assert {c.where: c.first.value - c.second.value for c in latency_changes(pair) if c.group == "distance"} == {
            f"8 bytes over {distance}": saved for saved, distance in enumerate(["no hop", "1 hop", "2 hops", "3 hops"])}
        said = words_of(pair, "latency")
        assert said[0] == "8 bytes over no hop, median, cycles: 63 and 63 (n=24 and 24): no difference seen (-5 to +5)."
        assert said[1].startswith("8 bytes over 3 hops, median, cycles: 90.5 and 87.5 (n=12 and 12): ")

    def test_a_cycle_a_hop(self):
        first = run_of()
        first.results.latency = [
            LatencySample(source=0, destination=hops, hops=hops, size_bytes=8, cycles=60 + 9 * hops + index % 3)
            for hops in (1, 2, 3) for index in range(60)]
        slower = first.model_copy(deep=True)
        for sample in slower.results.latency:
            sample.cycles += sample.hops
        assert "A hop more: no difference seen (-2 to +2 cycles)." in words_of(pair_of(first, first), "latency")
        assert not [each for each in compare(pair_of(first, first)).every if each.differs]
        said = words_of(pair_of(first, slower), "latency")
        assert said[0].endswith("over 1 hop, median, cycles: 70 and 71 (n=60 and 60): no difference seen (-1 to +3).")
        for sample in slower.results.latency:
            sample.cycles += 4 * sample.hops
        said = words_of(pair_of(first, slower), "latency")
        assert said[0].endswith("70 and 75 (n=60 and 60): +5 (+3 to +7), +7.1 %.")
        assert "A hop more: +5 cycles (+3 to +7)." in said

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
        assert compare(pair).reports["matrix"].facts(pair) == matrix_changes(pair)
        assert words_of(pair, "matrix") == matrix_words(pair) == ["Both runs observed the same cells in slide1.",
                                      "slide2: 2 cells differ: 0→1 only in mine, 4→3 only in base."]

    def test_memcached(self):
        pair = pair_of(run_of(study()), faster(run_of(study())))
        found = [c for c in memcached_changes(pair) if c.quantity == "median, cycles"]
        assert {round(c.ratio, 3) for c in found if c.group == "RDMA GET"} == {0.9}
        assert {c.ratio for c in found if c.group == "TCP GET"} == {1.0}
        said = words_of(pair, "memcached")
        assert any(text.startswith("RDMA GET: all 48 medians differ by -10 %; ") and
                   text.endswith("all 48 rates of operations differ by +11 %.") for text in said)
        assert any(text.startswith("TCP SET: no difference seen in 44 medians; ") for text in said)
        assert ("Over software cost, GET of 64 bytes, 4,096 bytes and 65,536 bytes: RDMA wins throughout in both."
                in said)

    def test_a_change_of_the_winner(self):
        pair = pair_of(run_of(study()), faster(run_of(study()), factor=2.0))
        said = [text for text in words_of(pair, "memcached")
                if text.startswith("Over software cost, GET of 65,536 bytes")]
        assert len(said) == 1
        assert "in base RDMA wins throughout" in said[0] and "in mine the winner changes at" in said[0]

    def test_a_winner_that_samples_do_not_tell_is_one_in_these_samples(self):
        few = [p.model_copy(update={"samples": 3, "ops": 3, "spread": None}) for p in study()
               if p.phase == "software_cost"]
        runs = {factor: faster(run_of(few), factor) for factor in (0.9, 2.0, 40.0)}
        told = {factor: " ".join(words_of(pair_of(run_of(few), run), "memcached")) for factor, run in runs.items()}
        assert ("64 bytes, 4,096 bytes and 65,536 bytes: in these samples RDMA wins throughout in both. In base: No "
                "interval can be given" in told[0.9])
        assert "in base in these samples RDMA wins" in told[2.0]
        assert "in mine in these samples the winner changes" in told[2.0]
        assert "in mine in these samples TCP wins throughout" in told[40.0]

    def test_a_winner_is_one_under_a_condition(self):
        flood = [p.model_copy(update={"phase": "flood"}) for p in study() if p.phase == "software_cost"]
        quiet = [p.model_copy(update={"phase": "memcached"}) for p in flood]
        first = run_of([*quiet, *faster(run_of(flood), 40.0).results.memcached])
        first.parameters["phases"] = [QUIET, FLOOD]
        said = words_of(pair_of(first, faster(first)), "memcached")
        for half, winner in (("memcached", "RDMA"), ("flood", "TCP")):
            assert (f"{half}: Over software cost, GET of 64 bytes, 4,096 bytes and 65,536 bytes: {winner} wins "
                    "throughout in both." in said)

    def test_a_spread(self):
        other = faster(run_of(study()), factor=1.0)
        slow = next(p for p in other.results.memcached if p.path == "rdma" and p.op == "get" and p.value_bytes == 64)
        slow.latency_cycles.p50 *= 2
        slow.quantiles = [2 * value for value in slow.quantiles]
        text = words_of(pair_of(run_of(study()), other), "memcached")
        assert any("RDMA GET: 1 median differs by +100 %; no difference seen in 47 medians; " in line for line in text)

    def test_attacks(self):
        other = run_of()
        other.results.attacks[0].passed, other.results.attacks[0].delivered = False, 1
        other.results.attacks[2].refused += 1
        del other.results.attacks[-1]
        pair = pair_of(run_of(), other)
        assert words_of(pair_of(run_of(), run_of()), "attacks") == ["Both runs held 7 of 7 attacks.",
                                                                    "All counts are the same."]
        assert words_of(pair, "attacks") == [
            "Both runs held 5 of 6 attacks.", "Held in base only: send to node 1 plainly.",
            "Tried in one run only: write the guard's tables.",
            "Counts that are not the same: send to node 1 plainly, delivered 0 and 1 and every hint and the deposit "
            "bit towards node 1, refused 128 and 129."]
        assert compare(pair).reports["attacks"].facts(pair)["held_by_first_only"] == ["send to node 1 plainly"]


class TestJudging:
    def test_an_interval_a_number_for_all_together(self):
        changes = memcached_changes(pair_of(run_of(study()), run_of(study())))
        found = compare(pair_of(run_of(study()), run_of(study())))
        estimated = [each for each in found.every
                     if each.samples is not None and each.change.first.may_be_judged(found.confidence)]
        assert found.confidence == 1 - RATE / (2 * len(estimated))
        short = {each.samples for each in found.every if each.samples is not None and each not in estimated}
        assert short == {12, 1000} and len(changes) // 2 < len(estimated) < len(found.every)
        (one,) = judge(changes[:1], confidence_of(changes[:1]))
        (many,) = judge(changes[:1], found.confidence)
        assert many.difference[0] < one.difference[0] < 0 < one.difference[1] < many.difference[1]

    def test_few_samples_are_not_judged(self):
        pair = pair_of(run_of([point(samples=3, ops=3)]), run_of([point(samples=3, ops=3, value_bytes=4096)]))
        judged = compare(pair).judged["memcached"]
        assert {each.differs for each in judged} == {None}
        assert {each.verdict for each in judged} == {"not judged: no interval can be given (n=3)",
                                                     "not judged: read once in each run"}
        assert words_of(pair, "memcached")[0] == (
            "TCP GET: 1 median not judged, as no interval can be given (n=3); 1 rate of operations not judged, as no "
            "interval can be given (n=3).")

    def test_what_needs_more_samples_is_told_from_what_is_read_once(self):
        few, enough = (" ".join(verdicts(compare(pair_of(run_of(points), run_of(points)))))
                       for points in ([point(samples=3, ops=3, spread=None)], [point()]))
        told = re.search(r"(\d+) cannot be judged, (\d+) of them for want of samples", few)
        unknown, wanting = map(int, told.groups())
        assert unknown > wanting > 0
        assert int(re.search(r"(\d+) cannot be judged", enough)[1]) < unknown

    def test_the_rate_of_false_differences_has_its_conditions(self):
        """Those of what was judged, and no others."""
        def said(first, second):
            return verdicts(compare(pair_of(first, second)))[-1]

        etc = [point(values="etc")]
        plain, timed = run_of(), run_of([point()])
        plain.results.latency *= 9
        stretch = "operations of memcached do not depend on those more than a stretch before"
        assert f"one machine show any in 5 % of comparisons at most, if {stretch}" in said(timed, timed)
        assert said(plain, plain).endswith("5 % of comparisons at most, if messages do not depend on each other.")
        assert "a seed chooses nothing for a whole run" in said(run_of(etc), run_of(etc, seed=2))
        assert "a seed" not in said(run_of(etc), run_of(etc)) + said(timed, run_of([point()], seed=2))
        timed.results.latency = []
        assert "messages" not in said(timed, timed)
        few = run_of([point(samples=3, ops=3, spread=None)])
        few.results.latency = []
        assert said(few, few).endswith("5 % of comparisons at most.")

    def test_a_stretch_is_what_it_is_called(self):
        assert (BATCHES, "a twentieth of the measurement" in " ".join(memcached_assumed(
            pair_of(run_of(), run_of())))) == (20, True)

    def test_software_of_each_phase(self):
        """As the measurements of a kept run say it was charged."""
        results = Results.read(ROOT / "docs" / "results" / "talk.json")
        software = {name: (model, scale) for name, model, scale in phase_software(results)}
        points = results.results.memcached
        assert {point.phase for point in points} > {"memcached", "memcached_slow"}
        assert all(software[point.phase] == (point.cpu_model, point.cpu_scale) for point in points)
        assert "ppc450 x 4 (memcached_slow)" in software_words(results)


class TestCommand:
    def test_again(self, folders, capsys):
        link = ["--link", "cloud/report.html"]
        assert main(["report", str(folders / "base"), "--file", "examples/mine.toml", *link]) == 0
        assert {path.suffix for path in (folders / "base").iterdir()} == {".json", ".html", ".png", ".csv"}
        page = (folders / "base" / "report.html").read_text(encoding="utf-8")
        assert "khhw run examples/mine.toml" in page and '<a href="cloud/report.html">' in page
        assert "RDMA" in capsys.readouterr().out

    def test_two(self, folders, capsys):
        out = folders / "both"
        assert main(["report", str(folders / "base"), str(folders / "mine"), "-o", str(out)]) == 0
        said = capsys.readouterr().out
        assert f"parts.router (khhw's own and '{ROUTER}')" in said
        assert "RDMA GET: all 2 medians differ by -10 %" in said
        assert "Both runs held 7 of 7 attacks." in said
        names = {path.stem for path in out.iterdir() if path.suffix == ".png"}
        assert names == {"compare_matrix_slide1", "compare_matrix_slide2", "compare_latency", "compare_memcached_cdf"}
        assert names == {path.stem for path in out.glob("*.csv")}
        page = (out / "report.html").read_text(encoding="utf-8")
        assert page.count('src="data:image/png;base64,') == 4
        assert re.search(r'<span class="good">better</span> -[\d,.]+ \([-+\d,.]+ to -[\d,.]+\), -10 %', page)
        assert '<span class="bad">worse' not in page
        assert "; n=400)" in page and "no difference seen (" in page

    def test_json(self, folders, capsys):
        assert main(["report", str(folders / "base"), str(folders / "mine"), "-o", str(folders / "j"), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert set(found) == {"version", "provenance", "seed", "parameters", "build", "cpu_model", "results"}
        assert {number["per_cent"] for number in found["results"]["numbers"]
                if "RDMA" in number["where"] and number["quantity"] == "median, cycles"} == {-10.0}
        numbers = found["results"]["numbers"]
        for number in numbers:
            known = None not in (number["first_interval"], number["second_interval"])
            assert (number["differs"] is not None) == (number["difference_interval"] is not None) == known
        assert {number["differs"] for number in numbers} == {True, False, None}
        assert all(number["first_interval"] is None for number in numbers if number["quantity"] == "server ns/op")
        assert found["results"]["facts"]["matrix"] == {"slide1": [], "slide2": []}
        assert found["results"]["phases"] == [{"name": "slide1", "cpu_model": "ppc450", "cpu_scale": 1.0}]

    def test_refusal(self, folders, capsys):
        other = Results.read(folders / "mine" / "results.json")
        other.clock_hz = 5
        other.write(folders / "mine" / "results.json")
        out = folders / "both"
        assert main(["report", str(folders / "base"), str(folders / "mine"), "-o", str(out)]) == 2
        assert "clock_hz  53125000  |  5" in capsys.readouterr().err
        assert not out.exists()

    @pytest.mark.parametrize(("content", "said"), [
        (None, "is not there; khhw run FILE.toml"), ("{", "holds no results"), ('{"version": "1"}', "holds no results"),
        (b"\xff\xfe", "is not in UTF-8")])
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

    def test_two_have_no_link(self, folders, capsys):
        assert main(["report", *2 * [str(folders / "base")], "--link", "other.html"]) == 2
        assert "--link is for the report of one run" in capsys.readouterr().err


def test_numbers_of_too_few_samples_do_not_make_the_others_less_certain():
    """As many as there may be; 9 samples have intervals with 99.6 %, for six numbers at most."""
    enough, short, few = (median_of(np.arange(number)) for number in (400, 9, 5))

    def numbers(*estimates):
        return confidence_of(Change(where="", quantity="", first=each, second=each, better="", varied=0, group="")
                             for each in estimates)

    assert numbers(*3 * [enough]) == numbers(*3 * [enough], *60 * [few]) == 1 - RATE / (2 * 3)
    assert numbers(*3 * [enough], *3 * [short]) == 1 - RATE / (2 * 6)
    # With the confidence for four numbers all of these would have an interval, and more than four be judged.
    found = numbers(*4 * [enough], *9 * [short], *60 * [few])
    assert found == 1 - RATE / (2 * 7) and short.interval(found) is None and enough.interval(found) is not None


def test_how_samples_scatter_does_not_decide_whether_a_number_counts():
    calm = point(samples=60)
    wild = calm.model_copy(update={"spread": calm.spread.model_copy(update={"p50_share": 0.4})})
    unknown = calm.model_copy(update={"spread": None})
    assert median(wild).interval(0.99) is None and median(wild).may_be_judged(0.99)
    assert not median(unknown).may_be_judged(0.9) and median(calm).may_be_judged(0.99)


def test_every_number_that_may_be_judged_counts_among_those_that_must_hold_together():
    interval = Estimate(value=5, interval=lambda _: (4, 6))
    numbers = [(interval, interval), (interval, counted(5)), (counted(5), counted(6)), (reading(5), reading(6)),
               (interval, reading(5))]
    changes = [Change(where="", quantity="", first=first, second=second, better="", varied=0, group="")
               for first, second in numbers]
    assert confidence_of(changes) == 1 - RATE / (2 * 2)
