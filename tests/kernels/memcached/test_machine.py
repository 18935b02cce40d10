"""memcached on the RTL of two nodes: both paths, bad input, torn reads, and a measurement. One run for all."""

import shutil
from itertools import product
from pathlib import Path

import pytest

from khhw.machine.machine import Machine
from khhw.machine.wire import messages

KERNELS = Path(__file__).parent / "kernels"
CLOSED = "server=0 keys=4 sizes=64,4096 warmup=1000 measure=6000 seed={seed}"
OPEN = ("server=0 values=etc largest=2000 keys=10 loop=open rate=20000 connections=2 gets=70 distribution=zipf "
        "warmup=2000 measure=60000")
SHORT, LONG = 1500, 30_000
READS = "server=0 path=rdma,tcp gets=100 keys=2 sizes=64 warmup=0"
MACHINE = f"""\
name = "memcached on two nodes"
[torus]
shape = [2, 1, 1]
[node]
memory_bytes = {4 << 20}
[host]
max_cycles = 3000000
[domains.both]
rules = ["0 -> 0 1", "1 -> 0 1"]

[[phases]]
name = "exercise"
domains = "both"
kernels = [
  {{ nodes = [0], kernel = "memcached", arguments = "patience=20000", service = true }},
  {{ nodes = [1], kernel = "exercise.py" }},
]

[[phases]]
name = "closed"
measure = "memcached"
kernels = [
  {{ nodes = [0], kernel = "memcached", service = true }},
  {{ nodes = [1], kernel = "memcached_load", arguments = "{CLOSED}" }},
]

[[phases]]
name = "busy"
measure = "memcached"
cpu = "ppc450"
kernels = [
  {{ nodes = [0], kernel = "memcached", service = true }},
  {{ nodes = [1], kernel = "memcached_load", arguments = "{OPEN}" }},
]
""" + "".join(f"""
[[phases]]
name = "reads_{cycles}_{scale}"
measure = "memcached"
cpu = "ppc450"
cpu_scale = {scale}
kernels = [
  {{ nodes = [0], kernel = "memcached", service = true }},
  {{ nodes = [1], kernel = "memcached_load", arguments = "{READS} measure={cycles * scale}" }},
]
""" for cycles, scale in ((SHORT, 1), (LONG, 1), (LONG, 4)))


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memcached")
    shutil.copy(KERNELS / "exercise.py", folder)
    file = folder / "memcached_pair.toml"
    file.write_text(MACHINE)
    return Machine.load(file, engine="native").run(folder / "out")


@pytest.fixture(scope="module")
def seen(results):
    """What the exercise said, by its first word."""
    texts = [line.text.partition("> saw ")[2] for line in results.results.console if "> saw " in line.text]
    return {text.partition(": ")[0]: text.partition(": ")[2] for text in reversed(texts)}


def test_it_ends_well(results):
    assert (results.state, results.message) == ("done", "")


def test_what_one_path_writes_both_read(seen):
    assert seen["both paths"] == "14 of 14 right, missing True"


def test_items_that_are_gone_or_moved_are_asked_for_again(seen):
    assert seen["stale"] == "True, 3 stale reads"


def test_bad_input_is_an_error_at_the_caller_and_the_connection_goes_on(seen):
    assert seen["errors"] == (
        "SERVER_ERROR object too large for cache; CLIENT_ERROR bad command line format; CLIENT_ERROR bad command line "
        "format; CLIENT_ERROR bad command line format; ERROR; RefusedError; not for writing; not registered; "
        "then b'alive'")


def test_windows_are_scarce_and_come_back(seen, results):
    said = [line.text for line in results.results.console if "saw windows" in line.text]
    assert said[0].endswith("windows: 6 slots, 2 refused, fallback 1, late 'SERVER_ERROR put did not come' True, "
                            "[b'by stream', None, None]")
    assert said[1].endswith("windows: then b'again', fallback 0")
    assert seen["stats"].startswith("khhw_set_lost 6 khhw_set_refused 3 curr_items 4")


def test_a_torn_read_is_noticed_and_would_be_wrong(seen):
    assert seen["torn, check True"] == "False wrong, True torn, True reads"
    assert seen["torn, check False"] == "True wrong, False torn, True reads"


class TestPoints:
    """What is measured."""

    def points(self, results, phase):
        return {(p.path, p.op, p.value_bytes): p for p in results.results.memcached if p.phase == phase}

    def test_every_path_operation_and_size(self, results):
        points = self.points(results, "closed")
        assert set(points) == set(product(("tcp", "rdma"), ("get", "set"), (64.0, 4096.0)))
        assert all(p.errors == p.misses == p.retries == 0 and p.server_cpu_ns_per_op == 0 for p in points.values())

    def test_nothing_is_faster_than_the_wire(self, results):
        for (path, op, size), point in self.points(results, "closed").items():
            assert point.wire_bound_cycles == messages(path, op, 12, size).bound(1)
            assert point.wire_bound_cycles < point.quantiles[0] <= point.latency_cycles.p50 <= point.quantiles[100]

    def test_parts_add_up(self, results):
        for point in self.points(results, "closed").values():
            parts = point.breakdown
            total = parts.software + parts.ni + parts.hops + parts.serialization + parts.wait
            assert parts.software == 0 and point.quantiles[0] <= total <= point.quantiles[100]

    def test_a_get_of_4_kib_comes_close_to_the_wire(self, results):
        point = self.points(results, "closed")["rdma", "get", 4096.0]
        assert point.wire_bound_cycles / point.latency_cycles.p50 >= 0.85

    def test_remote_reads_cost_the_server_nothing_however_few_are_measured(self, results):
        found = [p for p in results.results.memcached if p.phase.startswith("reads")]
        remote = [p for p in found if p.path == "rdma"]
        assert [p.cpu_scale for p in remote] == [1, 1, 4]
        assert remote[0].ops < 10 < 100 < remote[1].ops
        assert [p.server_cpu_ns_per_op for p in remote] == [0, 0, 0]
        short, long, slow = [p.server_cpu_ns_per_op for p in found if p.path == "tcp"]
        # One operation in part at each end is all that a short measurement is off by.
        assert short == pytest.approx(long, rel=0.2) and 3 * long < slow < 4 * long

    def test_remote_reads_cost_the_server_little_beside_writes(self, results):
        get = {p.path: p for p in results.results.memcached if p.phase == "busy" and p.op == "get"}
        assert {p.cpu_model for p in get.values()} == {"ppc450"} and {p.loop for p in get.values()} == {"open"}
        assert get["tcp"].server_cpu_ns_per_op > 2 * get["rdma"].server_cpu_ns_per_op > 0
        assert all(p.values == "etc" and p.breakdown is None and p.offered_per_second == 20000 for p in get.values())
        assert all(0.5 < p.ops_per_second / 14000 < 1.5 for p in get.values())
