"""What hardware itself counts, and what only the owner may change: read before and after a round, and compared."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from khhw.control.owner import Owner
from khhw.fuzz.honest import Parcel
from khhw.fuzz.reference_model import ReferenceModel
from khhw.fuzz.scenario import Scenario
from khhw.node.tree_packets import Control
from rtl.formats import ControlOp, Reason
from rtl.registers import REGISTERS

__all__ = ["EGRESS", "Reading", "Round", "compare", "faults", "read_counters"]

EGRESS = (Reason.NO_TABLE, Reason.ROW, Reason.RANGE, Reason.HINT, Reason.DEPOSIT, Reason.CHANNEL, Reason.PRIORITY)
"""Why an egress guard refuses."""

_MODULUS = 1 << 32
_EPOCH_COUNTERS = ("INJECTED", "DELIVERED", "REFUSED_IN", "DROPPED")
_STATUS = "GUARD_STATUS"


@dataclass(frozen=True)
class Reading:
    """Registers of the guard of one node, by name and index."""

    values: dict[tuple[str, int], int]

    def since(self, before: "Reading", name: str, index: int | None = None) -> int:
        """How far a counter, or all of an array, went."""
        keys = [key for key in self.values if key[0] == name and index in (None, key[1])]
        return sum((self.values[key] - before.values[key]) % _MODULUS for key in keys)

    def cleared(self) -> "Reading":
        """The same after the node was cleared for another tenant."""
        return Reading({key: 0 if key[0] == "REFUSED" else value for key, value in self.values.items()})


def _wanted(receive: int) -> list[tuple[str, int]]:
    keys = [("HOLD", 0), ("GRANTS", 0), ("CONSOLE_SEND_ID", 0), ("CONSOLE_LISTEN", 0), (_STATUS, 0)]
    keys += [("CONSOLE_RECEIVE_ID", index) for index in range(receive)]
    keys += [("REFUSED", int(reason)) for reason in Reason]
    return keys + [(name, parity) for name in _EPOCH_COUNTERS for parity in range(2)]


async def read_counters(owner: Owner, receive: int) -> dict[int, Reading]:
    """What the owner sees of all nodes, by rank; one packet, if there are not more than four receive ids."""
    keys = _wanted(receive)
    words = [Control(ControlOp.READ, REGISTERS[name].at(index)) for name, index in keys]
    answers = await owner.execute(None, words)
    return {rank: Reading({key: word.data for key, word in zip(keys, answer, strict=True)})
            for rank, answer in answers.items()}


@dataclass
class Round:
    """What hardware counted in a round.

    Parameters
    ----------
    packets : int
        Of hostile nodes, that reached an egress guard.
    refused : Counter
        By name of the reason, at all nodes.
    ends : Counter
        Cover points without their way: (end, reason).
    """

    packets: int
    refused: Counter[str]
    ends: Counter[tuple[str, str]]


def compare(before: dict[int, Reading], after: dict[int, Reading], scenario: Scenario) -> Round:
    """The counters of a round."""
    refused: Counter[str] = Counter()
    ends: Counter[tuple[str, str]] = Counter()
    packets = 0
    for rank, reading in after.items():
        old = before[rank]
        for reason in Reason:
            hits = reading.since(old, "REFUSED", reason)
            refused[reason.name] += hits
            if reason in EGRESS and rank in scenario.hostile:
                packets += hits
                ends["refused at egress", reason.name] += hits
            elif reason is Reason.COLUMN:
                ends["refused at ingress", reason.name] += hits
            elif reason in (Reason.TREE, Reason.STALE):
                ends["refused at console", reason.name] += hits
        ends["dropped", "HOLD"] += reading.since(old, "DROPPED")
        if rank in scenario.hostile:
            sent = reading.since(old, "INJECTED")
            packets += sent
            ends["sent", "allowed"] += sent
            ends["delivered", "to the hostile"] += reading.since(old, "DELIVERED")
    return Round(packets, +refused, +ends)


def faults(
    before: dict[int, Reading], after: dict[int, Reading], scenario: Scenario, model: ReferenceModel,
    parcels: Sequence[Parcel], keys: dict[tuple[str, int], int],
) -> Iterator[str]:
    """What is not as the owner left it, and counters of honest nodes that do not add up.

    Parameters
    ----------
    before, after : dict of int to Reading
        By rank.
    scenario : Scenario
    model : ReferenceModel
    parcels : sequence of Parcel
        What honest nodes sent.
    keys : dict
        Registers only the owner writes, and their values.
    """
    parities = set()
    for rank, reading in after.items():
        for key, value in keys.items():
            if reading.values[key] != value:
                yield f"node {rank}: {key[0]}[{key[1]}] is {reading.values[key]:#x}, its owner wrote {value:#x}"
        status = REGISTERS[_STATUS].unpack(reading.values[_STATUS, 0])
        if bool(status["valid"]) != model.committed or not status["drained"]:
            yield f"node {rank}: GUARD_STATUS is {reading.values[_STATUS, 0]:#x}"
        parities.add(status["epoch"])
    if len(parities) > 1:
        yield "nodes are in different epochs"

    honest, hostile = list(scenario.honest), list(scenario.hostile)
    apart = not (model.ever[honest][:, hostile].any() or model.ever[hostile][:, honest].any())
    if apart and all(parcel.within(model.always) for parcel in parcels):
        sent = sum({"message": 1, "put": 1, "late": 1, "get": 2}.get(parcel.kind, 0) for parcel in parcels)
        for name in ("INJECTED", "DELIVERED"):
            counted = sum(after[rank].since(before[rank], name) for rank in honest)
            if counted != sent:
                yield f"honest nodes sent each other {sent} packets, but their guards counted {counted} as {name}"
