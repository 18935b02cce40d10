"""What a guard was told by the owner, and so why it refused a packet: its tables, replayed from the owner's writes."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from khhw.node import Shape
from khhw.trace.accesses import Write
from rtl.formats import Direction, Header, Reason, unpack
from rtl.parameters import Parameters
from rtl.torus.hints import normalise

__all__ = ["Policy", "PolicyHistory", "reason_name"]

_WORD = 32
_PLANES = ("ROW", "COLUMN", "SHARED")


@dataclass(frozen=True)
class Policy:
    """What is in force at a guard.

    Parameters
    ----------
    valid : bool
        A table has been committed.
    epoch : int
        Parity packets are stamped with.
    row, column, shared : int
        Bit i: this node may send to node id i; node id i may send to this node; it is of another lease.
    reach : tuple of 6 int
        Hops of a deposit packet by direction.
    priority, hold : bool
    known : bool
        All but `hold` is what the owner wrote; False where some of it was written before the waves begin.
    """

    valid: bool = False
    epoch: int = 0
    row: int = 0
    column: int = 0
    shared: int = 0
    reach: tuple[int, ...] = (0,) * len(Direction)
    priority: bool = False
    hold: bool = True
    known: bool = True


def reason_name(reason: Reason | None) -> str:
    """A reason in a sentence."""
    return "by what was set before the waves begin" if reason is None else reason.name


class PolicyHistory:
    """What was in force when, at the guard of one node.

    Parameters
    ----------
    shape : Shape
    rank : int
    parameters : Parameters
    writes : iterable of Write
        The owner's, in order.
    first : Policy, optional
        In force in the first step; that of a reset by default.
    """

    def __init__(
        self, shape: Shape, rank: int, parameters: Parameters, writes: Iterable[Write], first: Policy | None = None,
    ) -> None:
        self._shape = shape
        self._rank = rank
        self._nodes = parameters.table_nodes
        self._steps = [0]
        self._policies = [first or Policy()]
        banks = {name: [{}, {}] for name in (*_PLANES, "REACH")}  # type: dict[str, list[dict[int, int]]]
        for write in writes:
            now = self._policies[-1]
            if write.name in banks:
                banks[write.name][now.epoch ^ 1][write.index] = write.value
            elif write.name == "COMMIT":
                self._commit(write.shown, banks)
            elif write.name == "GRANTS":
                self._add(write.shown, replace(now, priority=bool(write.fields["priority"])))
            elif write.name == "HOLD":
                fields = write.fields
                self._add(write.shown, replace(
                    now, hold=bool(fields["hold"]), priority=now.priority and not fields["clear"]))

    def at(self, step: int) -> Policy:
        """What a header that enters in this step is judged by."""
        return self._policies[bisect_right(self._steps, step) - 1]

    def egress_reason(self, header: int, step: int) -> Reason | None:
        """Why the egress guard refuses a header as the network interface gave it; NONE if it does not, None if the
        waves do not tell."""
        policy, fields = self.at(step), unpack(Header, header)
        if not policy.known:
            return None
        coordinate = fields["x"], fields["y"], fields["z"]
        if not policy.valid:
            return Reason.NO_TABLE
        if not all(c < size for c, size in zip(coordinate, self._shape.sizes, strict=True)):
            return Reason.RANGE
        destination = self._shape.node_id(self._shape.rank(coordinate))
        if destination >= self._nodes:
            return Reason.RANGE
        if fields["dynamic"] == fields["vc"] >> 1:
            return Reason.CHANNEL
        if fields["vc"] == 3 and not policy.priority:
            return Reason.PRIORITY
        hints = normalise(self._shape.sizes, self._shape.coordinate(self._rank), coordinate, fields["hint"])
        if hints.illegal:
            return Reason.HINT
        too_far = not hints.straight or hints.hops > policy.reach[hints.direction]
        if fields["deposit"] and not hints.here and too_far:
            return Reason.DEPOSIT
        return Reason.NONE if policy.row >> destination & 1 else Reason.ROW

    def ingress_reason(self, header: int, step: int) -> Reason | None:
        """Why the ingress guard refuses a header; NONE if it does not, None if the waves do not tell."""
        policy, source = self.at(step), unpack(Header, header)["source"]
        if not policy.known:
            return None
        if not policy.valid:
            return Reason.NO_TABLE
        return Reason.NONE if source < self._nodes and policy.column >> source & 1 else Reason.COLUMN

    def _commit(self, step: int, banks: dict[str, list[dict[int, int]]]) -> None:
        now = self._policies[-1]
        epoch = now.epoch ^ 1
        row, column, shared = (sum(word << _WORD * index for index, word in banks[name][epoch].items())
                               for name in _PLANES)
        reach = tuple(banks["REACH"][epoch].get(direction, 0) for direction in Direction)
        self._add(step, replace(now, valid=True, epoch=epoch, row=row, column=column, shared=shared, reach=reach))

    def _add(self, step: int, policy: Policy) -> None:
        self._steps.append(step)
        self._policies.append(policy)
