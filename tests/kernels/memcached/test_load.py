"""What the load is made of: keys, sizes, values, arrivals; and the points made of what it leaves."""

import math
import random
from collections import Counter

import numpy as np
import pytest

from khhw.kernels.memcached_load.options import parse_plan
from khhw.kernels.memcached_load.reader import TableError
from khhw.kernels.memcached_load.sizes import KEY_SIZE, VALUE_SIZE, etc_key_bytes, etc_value_bytes
from khhw.kernels.memcached_load.table import HEADER, MAGIC, POINT, SAMPLE, PointRecord
from khhw.kernels.memcached_load.workload import Chooser, Keys, make_value, right_value
from khhw.machine.memcached import Circumstances, memcached_points
from khhw.machine.wire import flits, messages
from khhw.node import Shape

MANY = 40_000


class TestOptions:
    """Words to plans."""

    def test_defaults_are_both_paths_both_operations(self):
        plan = parse_plan("", 5)
        assert [(p.path, p.gets) for p in plan.points] == [("tcp", 100), ("rdma", 100), ("tcp", 0), ("rdma", 0)]
        assert plan.clients == [5]

    def test_every_combination_is_a_point(self):
        plan = parse_plan(
            "server=2 clients=1,5,7 active=1,2,3 sizes=64,4096 path=rdma gets=90 distribution=uniform,zipf", 1)
        assert len(plan.points) == len(set(plan.points)) == 3 * 2 * 2
        assert {p.clients for p in plan.points} == {1, 2, 3}

    def test_open_and_closed_loop(self):
        plan = parse_plan("loop=closed,open rate=1000,2000 path=tcp gets=100", 0)
        assert [p.rate for p in plan.points] == [0, 1000, 2000]

    @pytest.mark.parametrize(("text", "message"), [
        ("path=udp", "path= is tcp or rdma, not 'udp'"), ("loop=open", "needs rate="), ("gets=101", "percentages"),
        ("keys=0", "at least 1"), ("active=2", "asks for 2 of 1 clients"), ("speed=3", "no option 'speed=3'"),
        ("sizes=0", "at least 1"),
    ])
    def test_what_cannot_be(self, text, message):
        with pytest.raises(ValueError, match=message):
            parse_plan(text, 0)


class TestKeys:
    """Which keys, and how often."""

    def test_uniform(self):
        chooser = Chooser(50, "uniform", 1, "a")
        counts = Counter(chooser.key() for _ in range(MANY))
        expected = MANY / 50
        chi_squared = sum((counts[key] - expected) ** 2 / expected for key in range(50))
        assert chi_squared < 86  # 49 degrees of freedom, p = 0.001

    def test_zipf_has_the_exponent_of_ycsb(self):
        chooser = Chooser(1000, "zipf", 1, "a")
        counts = [count for _, count in Counter(chooser.key() for _ in range(MANY)).most_common()]
        total = sum((rank + 1) ** -0.99 for rank in range(1000))
        for rank in (0, 1, 3, 9):
            expected = MANY * (rank + 1) ** -0.99 / total
            assert abs(counts[rank] - expected) < 5 * math.sqrt(expected)

    def test_popular_keys_are_scattered_and_the_same_for_all_clients(self):
        choosers = [Chooser(1000, "zipf", 1, stream) for stream in ("client 1", "client 5")]
        favourites = [[key for key, _ in Counter(c.key() for _ in range(MANY)).most_common(3)] for c in choosers]
        assert set(favourites[0]) == set(favourites[1]) != {0, 1, 2}

    def test_clients_do_not_ask_in_the_same_order(self):
        first, second = (Chooser(1000, "zipf", 1, stream) for stream in ("1", "5"))
        assert [first.key() for _ in range(20)] != [second.key() for _ in range(20)]

    def test_arrivals_are_poisson(self):
        chooser = Chooser(1, "uniform", 1, "a")
        gaps = np.array([chooser.gap(100.0) for _ in range(MANY)])
        assert abs(gaps.mean() - 100) < 2 and abs(gaps.std() - 100) < 3

    def test_ratio(self):
        chooser = Chooser(1, "uniform", 1, "a")
        assert abs(sum(chooser.is_get(90) for _ in range(MANY)) / MANY - 0.9) < 0.01

    def test_no_more_keys_than_memory(self):
        plan = parse_plan("keys=100 memory=10000 sizes=1000", 0)
        assert len(Keys(plan, plan.points[0])) == 10000 // 1152
        assert len(Keys(parse_plan("keys=7 sizes=10", 0), plan.points[0])) == 7


class TestEtcSizes:
    """Atikoglu et al., SIGMETRICS 2012: quantiles of the two distributions, worked out here once more."""

    def test_values(self):
        choose = random.Random(1)
        sizes = np.array([etc_value_bytes(choose, 1 << 30) for _ in range(MANY)])
        _, scale, shape = VALUE_SIZE
        for probability in (0.25, 0.5, 0.9, 0.99):
            exact = scale / shape * ((1 - probability) ** -shape - 1)
            assert np.quantile(sizes, probability) == pytest.approx(exact, rel=0.06)
        assert np.median(sizes) == pytest.approx(168, rel=0.05)
        assert sizes.mean() == pytest.approx(scale / (1 - shape), rel=0.06)

    def test_keys(self):
        choose = random.Random(1)
        sizes = np.array([etc_key_bytes(choose, 12) for _ in range(MANY)])
        location, scale, shape = KEY_SIZE
        for probability in (0.25, 0.5, 0.9, 0.99):
            exact = location + scale / shape * ((-math.log(probability)) ** -shape - 1)
            assert np.quantile(sizes, probability) == pytest.approx(exact, rel=0.03)
        assert sizes.max() <= 250 and sizes.min() >= 12

    def test_sizes_belong_to_keys(self):
        plan = parse_plan("values=etc keys=300", 0)
        keys = Keys(plan, plan.points[0])
        assert keys.sizes == Keys(plan, plan.points[0]).sizes and len(set(keys.sizes)) > 100
        assert len(set(keys.names)) == len(keys) == 300


class TestValues:
    """A value tells whether it is one."""

    def test_every_byte_and_the_length_count(self):
        value = make_value(1, 3, 99, 200)
        assert right_value(1, 3, value)
        for index in range(200):
            assert not right_value(1, 3, value[:index] + bytes([value[index] ^ 1]) + value[index + 1:])
        assert not right_value(1, 4, value) and not right_value(2, 3, value)
        assert not right_value(1, 3, value[:-1]) and not right_value(1, 3, value + b"x")

    def test_halves_of_two_values_are_no_value(self):
        first, second = make_value(1, 3, 99, 200), make_value(1, 3, 100, 200)
        assert not right_value(1, 3, first[:100] + second[100:])

    def test_short_values(self):
        assert all(right_value(1, 3, make_value(1, 3, 7, size)) for size in range(1, 20))
        assert not right_value(1, 4, make_value(1, 3, 7, 4))


class TestWire:
    """The bound that results are compared with."""

    @pytest.mark.parametrize(("payload", "expected"), [
        (1, 4), (16, 4), (17, 8), (240, 32), (241, 36), (480, 64), (4096, 17 * 32 + 4)])
    def test_flits(self, payload, expected):
        assert flits(payload) == expected

    def test_a_get_is_one_request_and_its_packets(self):
        wire = messages("rdma", "get", 12, 4096)
        assert wire.flits == flits(64) + flits(40 + 16 + 4096) + flits(8)
        assert wire.bound(2) == wire.flits + 2 * 2 * 3

    def test_a_remote_set_crosses_four_times(self):
        assert messages("rdma", "set", 12, 64).turns == 4 == 2 * messages("tcp", "set", 12, 64).turns


def table_of(points, samples):
    data = HEADER.pack(MAGIC, len(points), len(points), len(samples), 1, 1)
    data += b"".join(point.pack() for point in points) + b"".join(SAMPLE.pack(*sample) for sample in samples)
    return lambda address, length: data[address:address + length]


class TestPoints:
    """Tables of several clients become one record an operation."""

    CIRCUMSTANCES = Circumstances("load", Shape(2, 2, 2), "ppc450", 1.0, 53_125_000)

    def points(self, arguments, memories):
        return list(memcached_points(self.CIRCUMSTANCES, memories, 0, arguments))

    def test_two_clients(self):
        plan = "server=2 clients=1,5 path=tcp gets=50 sizes=64 measure=53125"
        one = PointRecord(1000, 54125, 500_000, 3_000_000, 40, 80, 2, 1, 0, 3, misses=1)
        two = PointRecord(1000, 54125, 500_000, 0, 40, 0, 1, 1, 0, 2, torn=2, stale=1, wrong=1)
        memories = {1: table_of([one], [(1, 100, 64, 0), (2, 200, 64, 0), (3, 900, 64, 1)]),
                    5: table_of([two], [(1, 300, 64, 0), (2, 700, 64, 1)])}
        get, put = self.points(plan, memories)
        assert (get.op, get.ops, get.samples, get.latency_cycles.p50, get.latency_cycles.max) == ("get", 3, 3, 200, 300)
        assert get.latency_cycles.p99 is None and get.quantiles[0] == 100 and get.quantiles[100] == 300
        assert get.ops_per_second == pytest.approx(3000)
        assert get.server_cpu_ns_per_op == 600_000 and get.clients == 2 and get.breakdown is None
        assert (get.misses, get.retries, get.errors, put.ops, put.misses) == (1, 3, 1, 2, 0)
        assert get.hops == np.mean([Shape(2, 2, 2).distance(1, 2), Shape(2, 2, 2).distance(5, 2)])

    def test_parts_of_an_operation_add_up(self):
        record = PointRecord(0, 100, 10_000, 10_000, 100, 50, 10, 0, 0, 10)
        (get,) = self.points("server=0 clients=1 path=rdma gets=100 sizes=64", {
            1: table_of([record], [(0, 700, 64, 0)] * 10)})
        parts = get.breakdown
        assert parts.software + parts.ni + parts.hops + parts.serialization + parts.wait == pytest.approx(700, abs=0.1)
        assert parts.hops + parts.serialization == get.wire_bound_cycles and parts.wait > 0
        assert parts.software == pytest.approx(2000 * 53.125e6 / 1e9, rel=0.01)

    def test_parts_are_never_longer_than_the_operation(self):
        record = PointRecord(0, 100, 10_000_000, 0, 100, 50, 10, 0, 0, 10)
        (get,) = self.points("server=0 clients=1 path=rdma gets=100 sizes=64", {
            1: table_of([record], [(0, 100, 64, 0)] * 10)})
        parts = get.breakdown
        assert parts.wait == 0 and min(parts.software, parts.ni) > 0
        assert parts.software + parts.ni + get.wire_bound_cycles == pytest.approx(100, abs=0.1)

    def test_99_of_100_from_a_thousand_samples_up(self):
        record = PointRecord(gets=1000, samples=1000)
        (get,) = self.points("server=0 clients=1 path=tcp gets=100 sizes=64", {
            1: table_of([record], [(0, number, 64, 0) for number in range(1000)])})
        assert get.latency_cycles.p99 == pytest.approx(989.01)

    def test_a_client_that_has_not_ended(self):
        head = HEADER.pack(MAGIC, 4, 1, 0, 1, 0)
        with pytest.raises(TableError, match="ended after 1 of 4 points"):
            self.points("server=0 clients=1", {1: lambda address, length: head[address:address + length]})
        with pytest.raises(TableError, match="no table"):
            self.points("server=0 clients=1", {1: lambda _, length: bytes(length)})


def test_records_survive_memory():
    record = PointRecord(*range(1, 18))
    assert PointRecord.unpack(record.pack()) == record and len(record.pack()) == POINT.size
