"""What the report says about memcached follows from the measurements: other numbers, other words."""

import csv
import io
import math
import random
import re

import pytest
from rich.console import Console

from khhw.machine.results import Breakdown, LatencySummary, RunRecord
from khhw.report.memcached import memcached_pictures
from khhw.report.memcached.clients import client_rates
from khhw.report.memcached.cost import cost_sweeps, crossings, verdict
from khhw.report.memcached.limits import busy, limit, limits
from khhw.report.memcached.offered import saturation
from khhw.report.memcached.phases import changes, phase_rows, phase_text
from khhw.report.memcached.quantiles import quantile_points
from khhw.report.memcached.size import size_sweeps
from khhw.report.memcached.summary import headline, troubles
from khhw.report.memcached.sweep import measured, sweeps
from khhw.report.terminal import print_summary
from khhw.report.write import write_report
from tests.report.synthetic import synthetic_results
from tests.report.synthetic_memcached import CLOCK, FLOOD, QUIET, SIZES, demo, point, study


def results_of(points):
    return synthetic_results(cpu_model="ppc450", results=RunRecord(memcached=points))


def noisy(points):
    """What was measured in the phases ``memcached`` and ``flood``, beside which another domain floods the cables."""
    results = results_of(points)
    results.parameters["phases"] = [QUIET, FLOOD]
    return results


def captions(points):
    return {picture.name: picture.caption for picture in memcached_pictures(results_of(points))}


def with_median(cycles, **changes):
    made = point(**changes)
    return made.model_copy(update={"latency_cycles": LatencySummary(p50=cycles, p99=cycles * 2, max=cycles * 3),
                                   "quantiles": [round(cycles * (0.5 + share / 100)) for share in range(101)]})


def over_cost(ratios, op="get", size=4096):
    """Points over the software cost at which TCP takes `ratio` times RDMA's 1,000 cycles."""
    return [with_median(1000 * (ratio if path == "tcp" else 1), path=path, op=op, value_bytes=size, cpu_scale=scale)
            for scale, ratio in ratios for path in ("tcp", "rdma")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_report(results_of(study()), tmp_path_factory.mktemp("study"), source="examples/study.toml")


@pytest.fixture(scope="module")
def said():
    return captions(study())


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return write_report(results_of(demo()), tmp_path_factory.mktemp("demo"))


class TestPictures:
    def test_study_has_all(self, whole):
        names = {path.stem for path in whole.parent.glob("*.png")}
        assert names == {path.stem for path in whole.parent.glob("*.csv")}
        assert names == {f"memcached_{name}" for name in (
            "size_ppc450", "size_ideal", "parts_ppc450", "parts_ideal", "cdf", "clients_ppc450", "offered",
            "software_cost")}

    def test_demo_has_what_it_measured(self, small):
        assert {path.stem for path in small.parent.glob("*.png")} == {"memcached_parts_ppc450", "memcached_cdf"}

    def test_none_without_measurements(self):
        assert memcached_pictures(results_of([])) == []

    def test_failed_operations_draw_nothing(self):
        dead = point().model_copy(update={"samples": 0, "ops": 0, "errors": 9, "quantiles": [], "ops_per_second": 0.0,
                                          "latency_cycles": LatencySummary(p50=0, p99=None, max=0)})
        assert measured([dead]) == [] == memcached_pictures(results_of([dead]))
        assert headline(results_of([dead])) == ["9 operations of 0 ended in an error; no GET missed."]

    @pytest.mark.parametrize("seed", range(5))
    def test_any_part_of_a_study(self, seed):
        rng = random.Random(seed)
        points = rng.sample(study(), rng.choice([1, 2, 5, 20, 60]))
        points = [p.model_copy(update={"breakdown": None}) if rng.random() < 0.3 else p for p in points]
        for picture in memcached_pictures(results_of(points)):
            assert "nan" not in picture.caption and "inf" not in picture.caption
            assert picture.rows

    def test_numbers_of_a_line(self, whole):
        with (whole.parent / "memcached_size_ppc450.csv").open(encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if (row["path"], row["op"]) == ("rdma", "set")]
        assert [int(row["value_bytes"]) for row in rows] == SIZES
        assert float(rows[6]["p50_cycles"]) == point(path="rdma", op="set", value_bytes=4096).latency_cycles.p50

    def test_parts_add_up(self, whole):
        with (whole.parent / "memcached_parts_ppc450.csv").open(encoding="utf-8") as file:
            row = next(row for row in csv.DictReader(file) if row["path"] == "tcp" and row["value_bytes"] == "64")
        parts = [float(row[f"{name}_cycles"]) for name in ("software", "ni", "hops", "serialization", "wait")]
        assert sum(parts) == pytest.approx(sum(point(value_bytes=64).breakdown.model_dump().values()), abs=0.5)


class TestSeries:
    def test_a_line_differs_in_one_thing_only(self):
        for sweep in sweeps(study(), "value_bytes"):
            for line in sweep.lines.values():
                assert [p.value_bytes for p in line] == sorted({p.value_bytes for p in line})
                assert len({(p.cpu_model, p.cpu_scale, p.clients, p.distribution) for p in line}) == 1

    def test_the_model_as_it_is_is_preferred(self):
        chosen = size_sweeps(study())
        assert list(chosen) == ["ppc450", "ideal"]
        assert {p.cpu_scale for line in chosen["ppc450"].lines.values() for p in line} == {1.0}

    def test_the_first_of_two_phases_counts(self):
        points = [with_median(100, value_bytes=64), with_median(900, value_bytes=128),
                  with_median(500, value_bytes=64, phase="again")]
        assert [p.latency_cycles.p50 for p in size_sweeps(points)["ppc450"].line("tcp", "get")] == [100, 900]

    def test_mixed_sizes_are_no_size(self):
        points = [point(values="etc", value_bytes=size) for size in (300.5, 312.25)]
        assert size_sweeps(points) == {}

    def test_kinds_of_one_measurement_add_up(self):
        rates = client_rates(study(), CLOCK)["ppc450"]
        assert [rate.point.clients for rate in rates["tcp"]] == list(range(1, 8))
        alone = point(path="rdma", value_bytes=1024, clients=7, hops=1.78)
        assert rates["rdma"][-1].per_second == pytest.approx(alone.ops_per_second)
        assert rates["tcp"][-1].busy == pytest.approx(0.97, abs=0.001)
        assert rates["rdma"][-1].wire_per_second == pytest.approx(7 * CLOCK / alone.wire_bound_cycles)


    def test_a_distribution_needs_operations(self):
        few = [point(path=path, value_bytes=size, samples=150) for path in ("tcp", "rdma") for size in SIZES]
        many = [point(path=path, value_bytes=256, clients=3, distribution="zipf") for path in ("tcp", "rdma")]
        mixes = [point(path=path, op=op, value_bytes=size, values="etc", loop="open", offered_per_second=9000.0,
                       gets_per_cent=97)
                 for path, size in (("tcp", 310.5), ("rdma", 309.0)) for op in ("get", "set")]
        assert [[p.value_bytes for p in panel] for panel in quantile_points(few)] == [[64] * 2, [4096] * 2, [65536] * 2]
        assert [len(panel) for panel in quantile_points(few + many + mixes)] == [2, 4]
        text = captions(few + many + mixes)["memcached_cdf"]
        assert "3 clients, 256 bytes, closed loop, Zipf keys, software time ppc450: TCP GET" in text
        assert "97 % GETs, ETC sizes" in text and "fewer than" not in text


class TestWinner:
    @pytest.mark.parametrize(("ratios", "found"), [
        ([(1, 2.0), (4, 0.5)], [2.0]),  # half way on both logarithmic scales; straight lines would meet at 3
        ([(0.25, 8.0), (4, 0.5)], [2.0]),
        ([(0.5, 1.2), (1, 1.0), (2, 0.7)], [1.0]),
        ([(0.5, 0.5), (1, 2.0), (2, 0.5)], [math.sqrt(0.5), math.sqrt(2)]),
        ([(0.5, 1.2), (1, 1.0), (2, 1.3)], []),
        ([(0.25, 3.0), (4, 1.01)], []),
        ([(0.25, 1.0), (4, 1.0)], []),
    ])
    def test_crossings(self, ratios, found):
        assert crossings(ratios) == pytest.approx(found)

    @pytest.mark.parametrize(("ratios", "text"), [
        ([(0.25, 0.5), (1, 2.0), (4, 5.0)],
         "the winner changes at 0.5 times the model's cost: TCP wins at 0.25x, RDMA at 4x"),
        ([(0.25, 1.5), (4, 6.0)],
         "RDMA wins throughout; TCP takes 1.5 times its time at 0.25x and 6 times at 4x"),
        ([(0.25, 1.0), (4, 6.0)],
         "RDMA wins throughout; TCP takes 1 times its time at 0.25x and 6 times at 4x"),
        ([(0.25, 0.5), (4, 0.8)],
         "TCP wins throughout; RDMA takes 2 times its time at 0.25x and 1.25 times at 4x"),
        ([(0.25, 1.0), (4, 1.0)], "both take the same time throughout"),
    ])
    def test_words(self, ratios, text):
        sweep, = cost_sweeps(over_cost(ratios))
        assert verdict(sweep, "get") == text
        assert text in captions(over_cost(ratios))["memcached_software_cost"]

    def test_ideal_has_no_cost_to_vary(self):
        assert cost_sweeps([p.model_copy(update={"cpu_model": "ideal"}) for p in over_cost([(1, 2.0), (2, 2.0)])]) == []

    def test_one_way_alone_wins_nothing(self):
        assert cost_sweeps([p for p in over_cost([(1, 2.0), (2, 2.0)]) if p.path == "tcp"]) == []

    def test_headline(self):
        same = over_cost([(0.25, 2.0), (4, 3.0)]) + over_cost([(0.25, 4.0), (4, 9.0)], size=64)
        assert ("RDMA wins throughout from 0.25 to 4 times the software cost, for GETs of 64 and 4,096 bytes."
                in headline(results_of(same)))
        turned = " ".join(headline(results_of(over_cost([(0.25, 0.5), (1, 2.0)]))))
        assert "GET of 4,096 bytes: the winner changes at 0.5 times the model's cost" in turned


class TestWords:
    def test_distance_from_the_wire(self):
        points = [with_median(5000, value_bytes=64).model_copy(update={"wire_bound_cycles": 100.0}),
                  with_median(12_000, value_bytes=65536).model_copy(update={"wire_bound_cycles": 10_000.0})]
        text = captions(points)["memcached_size_ppc450"]
        assert ("GET by TCP takes a median of 5,000 cycles (94.1 µs) at 64 bytes and 12,000 cycles (226 µs) at 65,536 "
                "bytes: 50 and 1.2 times what the wire allows (100 and 10,000 cycles)") in text

    def test_what_limits_latency(self):
        slow = Breakdown(software=80, ni=10, hops=5, serialization=5, wait=0)
        wire = Breakdown(software=10, ni=10, hops=5, serialization=75, wait=0)
        points = [point(value_bytes=64, breakdown=slow), point(value_bytes=65536, breakdown=wire)]
        assert limits(points, points, CLOCK) == (
            "software (80 % of the time at 64 bytes) and the wire's serialization (75 % of the time at 65,536 bytes)")
        assert limits([points[0].model_copy(update={"breakdown": None})], points, CLOCK) == ""
        near = with_median(110, breakdown=None, wire_bound_cycles=100.0, value_bytes=64)
        assert limits([near], [near], CLOCK) == "the wire (1.1 times its bound at 64 bytes)"

    def test_a_busy_server_limits(self):
        half = [point(op=op, gets_per_cent=50, ops_per_second=9_500.0, server_cpu_ns_per_op=50_000.0)
                for op in ("get", "set")]
        assert busy(half[0], half) == pytest.approx(0.95)
        assert str(limit(half[0], half, CLOCK)) == "the server's processor (95 % busy)"
        assert limit(half[0], half[:1], CLOCK).name == "software"

    def test_a_full_lane_limits(self):
        full = point(path="rdma", clients=3, breakdown=None, wire_bound_cycles=500.0, ops_per_second=0.97 * CLOCK / 500)
        assert limit(full, [full], CLOCK).short == "lane 97 % full"
        assert limit(full.model_copy(update={"ops_per_second": 0.5 * CLOCK / 500}), [], CLOCK) is None

    def test_two_measurements_in_a_phase_are_not_one(self):
        each = [point(op=op, ops_per_second=8_000.0, server_cpu_ns_per_op=50_000.0) for op in ("get", "set")]
        assert busy(each[0], each) == pytest.approx(0.4)

    def test_faster_and_slower(self):
        fast = captions([with_median(3000 if path == "tcp" else 1000, path=path, value_bytes=size)
                         for path in ("tcp", "rdma") for size in (64, 128)])
        assert "RDMA is the faster one at every size: 3 times as fast" in fast["memcached_size_ppc450"]
        mixed = captions([with_median(3000 if path == "tcp" else size * 20, path=path, value_bytes=size)
                          for path in ("tcp", "rdma") for size in (64, 256)])
        assert "RDMA is up to 2.34 times as fast (at 64 bytes), but TCP is faster at 256 bytes." in (
            mixed["memcached_size_ppc450"])
        slow = captions([with_median(1000 if path == "tcp" else 3000, path=path, value_bytes=size)
                         for path in ("tcp", "rdma") for size in (64, 128)])
        assert "TCP is the faster one at every size, at 64 bytes by 3 times." in slow["memcached_size_ppc450"]

    def test_server_work_of_a_get(self, said):
        text = said["memcached_parts_ppc450"]
        assert "by TCP, the largest part of it software (93 %; the server's processor spends 1,921 cycles on" in text
        assert "by RDMA, the largest part of it software (79 %; the server's processor spends none on it)" in text

    def test_clients(self, said):
        text = said["memcached_clients_ppc450"]
        assert "What limits these is the server's processor (97 % busy)." in text
        assert "RDMA: 67,364 operations/s with 1 client, 464,446 (6.89 times as many) with 7." in text
        assert "The server's processor is 97 % busy and allows 26,003." in text
        assert "The wire would allow these clients, each alone on it, 1,530,098 (3.29 times as many)." in text
        assert text.count("The server's processor runs no software for them.") == 1

    def test_offered_load(self, said):
        lines = said["memcached_offered"].splitlines()
        assert "From 40,000 on it does not keep up; at the most offered it does 26" in lines[0]
        assert "What limits it is the server's processor (97 % busy)." in lines[0]
        assert lines[1].endswith("All that was offered was done.")
        assert "3 clients, ETC sizes" in lines[2] and "offering" not in lines[2]

    def test_few_samples_have_no_99th_percentile(self, said):
        text = captions(demo())["memcached_cdf"]
        assert "RDMA GET 1,378 and at most 1,778" in text and "of fewer than 1,000 operations (400 here)" in text
        assert "at most" not in said["memcached_cdf"]

    def test_trouble(self):
        assert troubles(study()) == []
        points = [point(errors=2, misses=1, retries=3)]
        assert troubles(points) == ["2 operations of 1,200 ended in an error; 1 GET missed.",
                                    "3 GETs by RDMA were read again, stale or torn."]

    def test_phases(self):
        found = changes([with_median(1000), with_median(1200, phase="flood"),
                         with_median(500, op="set", phase="flood")])
        assert [(c.before.phase, c.after.phase, round(c.median, 3)) for c in found] == [("memcached", "flood", 1.2)]
        assert phase_text(found).endswith("the most that of TCP GET, 4,096 bytes: +20 % in flood against memcached.")
        assert phase_rows(found)[0][2] == "1,000 → 1,200 (+20 %)"
        assert phase_text(changes([point(), point(phase="again")])).endswith("Every quantile is the same to the cycle.")
        same = changes([with_median(1000), with_median(1050, phase="again")])
        assert phase_rows(same) == [] and "No difference of medians is seen." in phase_text(same)
        few = changes([with_median(1000, samples=3), with_median(2000, samples=40, phase="again")])
        assert few[0].differs is None and phase_rows(few)
        assert phase_text(few).endswith("No interval can be given for 1 (n=3 to 40).")


class TestCertainty:
    """What medians say is said with how many samples they are of, and no winner is named that they do not tell."""

    def both(self, tcp, rdma, **changes):
        return [with_median(median, path=path, **changes) for path, median in (("tcp", tcp), ("rdma", rdma))]

    def test_three_samples_say_so(self):
        text = headline(results_of(self.both(3000, 1000, samples=3)))[0]
        assert "3,000 cycles (56.5 µs) by TCP (n=3) and 1,000 cycles (18.8 µs) by RDMA (n=3)" in text
        assert "RDMA is 3 times as fast in these samples, and no interval can be given." in text

    def test_no_winner_within_the_intervals(self):
        assert "no difference is seen" in headline(results_of(self.both(1050, 1000)))[0]
        assert "RDMA is 2 times as fast. The wire" in headline(results_of(self.both(2000, 1000)))[0]

    def test_over_cost(self):
        text = captions(over_cost([(0.25, 1.05), (1, 2.0), (4, 5.0)]))["memcached_software_cost"]
        assert "RDMA wins throughout" in text and "No difference is seen at 0.25x of 4,096 bytes." in text
        few = [p.model_copy(update={"samples": 3, "spread": None}) for p in over_cost([(0.25, 2.0), (4, 3.0)])]
        assert ("No interval can be given at 0.25x of 4,096 bytes and at 4x of 4,096 bytes (n=3)."
                in headline(results_of(few)))

    def test_over_size(self):
        points = self.both(1050, 1000, value_bytes=64) + self.both(3000, 1000, value_bytes=128)
        assert "No difference is seen at 64 bytes." in captions(points)["memcached_size_ppc450"]

    def test_who_is_faster_is_said_of_samples_only_where_that_is_in_doubt(self):
        sure = over_cost([(0.25, 2.0), (4, 3.0)])
        few = [p.model_copy(update={"samples": 3, "spread": None}) for p in sure]
        turned = [p.model_copy(update={"samples": 3, "spread": None}) for p in over_cost([(0.25, 0.5), (4, 3.0)])]
        assert "these samples" not in " ".join([*headline(results_of(sure)), *captions(sure).values()])
        assert any(text.startswith("In these samples RDMA wins throughout") for text in headline(results_of(few)))
        assert any("in these samples the winner changes" in text for text in headline(results_of(turned)))
        assert "GET of 4,096 bytes: in these samples RDMA wins throughout" in captions(few)["memcached_software_cost"]
        sizes = [p.model_copy(update={"samples": 3, "spread": None})
                 for size in (64, 128) for p in self.both(3000, 1000, value_bytes=size)]
        assert "In these samples RDMA is the faster one at every size" in captions(sizes)["memcached_size_ppc450"]

    def test_what_holds_under_one_condition_names_it(self):
        """The two ways are nearly equal; beside a flood the other one is ahead."""
        points = self.both(3000, 2000) + self.both(2500, 5000, phase="flood")
        points += [p.model_copy(update={"clients": 3, "ops_per_second": p.ops_per_second * 2}) for p in points]
        results = noisy(points + [p.model_copy(update={"cpu_scale": 4.0}) for p in points])
        medians = [text for text in headline(results) if "The median GET" in text]
        assert [text.partition(" ")[0] for text in medians] == ["memcached:", "flood:"]
        assert "RDMA is 1.5 times as fast" in medians[0] and "TCP is 2 times as fast" in medians[1]
        rest = headline(results, medians=False)
        for said in ("RDMA wins throughout", "TCP wins throughout", "Operations/s with up to 3 clients"):
            assert all(text.startswith(("memcached: ", "flood: ")) for text in rest if said in text)
            assert any(said in text for text in rest)
        assert "memcached: beside nothing; flood: beside flood on nodes 0 and 3 (to=6)." in rest

    def test_a_row_under_each_condition(self, tmp_path):
        output = io.StringIO()
        results = noisy(self.both(3000, 2000) + self.both(2500, 5000, phase="flood"))
        print_summary(results, tmp_path / "report.html", console=Console(file=output, width=118))
        assert re.search(r"^memcached: GET 4,096 bytes +n=1,200 +56.5 µs +37.6 µs .*1.5 .*\n(?: .*\n)?"
                         r"flood: GET 4,096 bytes +n=1,200 +47.1 µs +94.1 µs .*0.5 ", output.getvalue(), re.M)

    def test_keeping_up(self):
        def offered(done, error):
            made = point(loop="open", clients=3, offered_per_second=1000.0, ops_per_second=done, breakdown=None)
            return made.model_copy(update={"spread": made.spread.model_copy(update={"ops_per_second": error})})

        assert saturation([(offered(900.0, 1.0), 900.0)]) is not None
        for done, error in ((900.0, 50.0), (990.0, 1.0), (960.0, 50.0)):
            assert saturation([(offered(done, error), done)]) is None
        low = offered(500.0, 1.0).model_copy(update={"offered_per_second": 500.0})
        assert "is not certain at 1,000 (n=1,200)." in captions([low, offered(900.0, 50.0)])["memcached_offered"]


class TestPage:
    def test_every_measurement_is_in_the_table(self, whole):
        page = whole.read_text(encoding="utf-8")
        section = page[page.index("memcached over the four calls"):]
        assert f"All {len(study())} measurements" in section
        assert section.partition("</table>")[0].count("<tr>") == len(study()) + 1

    def test_says_what_was_found(self, whole, small):
        page = whole.read_text(encoding="utf-8")
        assert ("The median GET of 4,096 bytes takes 5,104 cycles (96.1 µs) by TCP (n=1,200) and 1,372 cycles "
                "(25.8 µs) by RDMA (n=1,200): RDMA is 3.72 times as fast. The wire allows 658.") in page
        assert f"{sum(p.ops for p in study()):,} memcached operations, no error" in page
        assert "+3.9 % in flood against memcached" in small.read_text(encoding="utf-8")

    def test_command_that_makes_it_again(self, tmp_path):
        results = results_of([point()]).model_copy(update={"command": "memcached"})
        page = write_report(results, tmp_path, source="study.toml").read_text(encoding="utf-8")
        assert f"khhw memcached study.toml -o {tmp_path} --seed 1" in page

    def test_terminal(self, tmp_path):
        output = io.StringIO()
        print_summary(results_of(study()), tmp_path / "report.html", console=Console(file=output, width=118))
        text = output.getvalue()
        assert re.search(r"GET 4,096 bytes +n=1,200 +96.1 µs +25.8 µs +12.4 µs +3.72 +TCP: software 80 %, "
                         r"RDMA: software 48 %", text)
        assert "RDMA wins throughout from 0.25 to 4 times the software cost" in text
        assert ("Operations/s with up to 7 clients, ppc450: 25,223 by TCP (n=9,000) and 464,446 by RDMA (n=9,000)."
                in " ".join(text.split()))
