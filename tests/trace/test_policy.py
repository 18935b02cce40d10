"""Why guards refuse, from what the owner wrote: every reason, and which table is in force when."""

from khhw.node import Shape
from khhw.trace.accesses import Write
from khhw.trace.policy import PolicyHistory
from rtl.formats import Header, Reason, pack
from rtl.parameters import Parameters

SHAPE = Shape(4, 2, 1)
NODES = (1 << SHAPE.nodes) - 1


def owner(*writes: tuple[str, int, int]) -> PolicyHistory:
    """Rank 0's guard; the writes are register, element, value, in steps 10, 20, ..."""
    steps = [Write(step, step + 1, name, index, value) for step, (name, index, value) in
             zip(range(10, 10 * len(writes) + 10, 10), writes, strict=True)]
    return PolicyHistory(SHAPE, 0, Parameters(), steps)


def header(**fields: int) -> int:
    return pack(Header, **{"vc": 2, **fields})


ALL = (("ROW", 0, NODES), ("COLUMN", 0, NODES), ("COMMIT", 0, 1))


class TestEgress:
    def test_before_the_first_commit(self) -> None:
        history = owner(*ALL)
        assert history.egress_reason(header(x=1), 30) == Reason.NO_TABLE
        assert history.egress_reason(header(x=1), 31) == Reason.NONE

    def test_outside_the_machine(self) -> None:
        assert owner(*ALL).egress_reason(header(x=4), 99) == Reason.RANGE

    def test_bit_and_channel_disagree(self) -> None:
        assert owner(*ALL).egress_reason(header(x=1, dynamic=1), 99) == Reason.CHANNEL

    def test_priority_needs_the_grant(self) -> None:
        asked = header(x=1, vc=3)
        assert owner(*ALL).egress_reason(asked, 99) == Reason.PRIORITY
        assert owner(*ALL, ("GRANTS", 0, 1)).egress_reason(asked, 99) == Reason.NONE

    def test_the_long_way(self) -> None:
        # X- is three hops, X+ one.
        assert owner(*ALL).egress_reason(header(x=1, hint=0x10), 99) == Reason.HINT

    def test_deposit_needs_reach(self) -> None:
        asked = header(x=2, deposit=1, hint=0x20)
        assert owner(*ALL).egress_reason(asked, 99) == Reason.DEPOSIT
        assert owner(("REACH", 0, 2), *ALL).egress_reason(asked, 99) == Reason.NONE

    def test_the_row(self) -> None:
        history = owner(("ROW", 0, 0b101), ("COMMIT", 0, 1))
        assert history.egress_reason(header(x=2), 99) == Reason.NONE
        assert history.egress_reason(header(x=1), 99) == Reason.ROW

    def test_a_shadow_is_not_in_force_and_a_bank_comes_back(self) -> None:
        history = owner(("ROW", 0, 0b10), ("COMMIT", 0, 1), ("ROW", 0, 0b100), ("COMMIT", 0, 1), ("COMMIT", 0, 1))
        assert [history.at(step).row for step in (35, 45, 99)] == [0b10, 0b100, 0b10]
        assert [history.at(step).epoch for step in (35, 45, 99)] == [1, 0, 1]


class TestIngress:
    def test_the_column(self) -> None:
        history = owner(("COLUMN", 0, 0b100), ("COMMIT", 0, 1))
        assert history.ingress_reason(header(source=2), 99) == Reason.NONE
        assert history.ingress_reason(header(source=1), 99) == Reason.COLUMN
        assert history.ingress_reason(header(source=2), 5) == Reason.NO_TABLE

    def test_hold(self) -> None:
        history = owner(("HOLD", 0, 0), ("HOLD", 0, 1))
        assert [history.at(step).hold for step in (0, 15, 25)] == [True, False, True]

    def test_a_clear_takes_the_grant(self) -> None:
        history = owner(("GRANTS", 0, 1), ("HOLD", 0, 1), ("HOLD", 0, 3))
        assert [history.at(step).priority for step in (15, 25, 35)] == [True, True, False]
