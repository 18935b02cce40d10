"""What the meters of a traced run must have counted, counted anew from the packets in its waves."""

from collections import Counter

from khhw.errors import RequestError
from khhw.trace.flits import stream
from khhw.trace.run import Run
from khhw.trace.torus import Delivery, TorusPacket
from rtl.formats import Direction, Header, unpack
from rtl.meter_lines import MeterLine

__all__ = ["NOT_RECOUNTED", "cable_flits", "recount"]

NOT_RECOUNTED = frozenset({MeterLine.BUSY_CYCLES})
"""Nothing at the ports of a node shows when its network interface had something to do."""


def cable_flits(run: Run) -> int:
    """Flits that crossed torus cables: cycles in which a node sent one, over all nodes and directions.

    Raises
    ------
    RequestError
        If the waves are not of all nodes, from the start.
    """
    _check(run)
    waves = run.waves
    return sum(int(waves.signal(f"node_{rank}.tx__{int(direction)}__valid", 1).every(waves.steps).sum())
               for rank in range(run.shape.nodes) for direction in Direction)


def recount(run: Run) -> list[Counter[MeterLine]]:
    """What every meter must have counted, by rank; lines of :data:`NOT_RECOUNTED` are not there.

    Raises
    ------
    RequestError
        If the waves are not of all nodes, from the start.
    """
    _check(run)
    counts: list[Counter[MeterLine]] = [Counter() for _ in range(run.shape.nodes)]
    for packet in run.packets:
        _sent(run, packet, counts[packet.source])
        for delivery in packet.deliveries:
            _ended(run, delivery, counts[delivery.rank])
    for rank, count in enumerate(counts):
        _texts(run, rank, count)
    return counts


def _check(run: Run) -> None:
    if len(run.waves.ranks) < run.shape.nodes or not run.waves.from_start:
        raise RequestError(f"{run.waves.path}: meters are recounted from waves of all nodes and of the whole run")


def _sent(run: Run, packet: TorusPacket, count: Counter[MeterLine]) -> None:
    """What the sender's meter has of a packet that its egress guard let in."""
    if packet.stamped is None:
        return
    header, flits = unpack(Header, packet.stamped.flits[0]), len(packet.stamped.flits)
    policy = run.policies[packet.source].at(packet.offered.begin)
    peer = _peer(policy.shared, run.shape.node_id(run.shape.rank((header["x"], header["y"], header["z"]))))
    count[MeterLine[f"{peer}_SENT_PACKETS"]] += 1
    count[MeterLine[f"{peer}_SENT_FLITS"]] += flits
    count[MeterLine[f"{peer}_FLIT_HOPS"]] += sum(len(hop.left.flits) for hop in packet.hops if hop.output is not None)


def _ended(run: Run, delivery: Delivery, count: Counter[MeterLine]) -> None:
    """What a receiver's meter has of a packet, or of the copy that a deposit packet left there."""
    header, flits = unpack(Header, delivery.ejected.flits[0]), len(delivery.ejected.flits)
    copy = delivery.rank != run.shape.rank((header["x"], header["y"], header["z"]))
    if delivery.passed is not None:
        policy = run.policies[delivery.rank].at(delivery.ejected.begin)
        what = "COPIED" if copy else f"{_peer(policy.shared, header['source'])}_RECEIVED"
    elif copy:
        return
    else:
        what = "DROPPED" if delivery.held else "REFUSED"
    count[MeterLine[f"{what}_PACKETS"]] += 1
    count[MeterLine[f"{what}_FLITS"]] += flits


def _texts(run: Run, rank: int, count: Counter[MeterLine]) -> None:
    """The console's packets: those that a node's endpoint sent for it, and those that it was handed."""
    node = f"node_{rank}"
    offered = [packet.entered for packet in run.tree if packet.source == rank and packet.offered is not None]
    for name, packets in (("SENT", offered), ("RECEIVED", stream(run.waves, f"{node}.console_in"))):
        count[MeterLine[f"EXTERNAL_{name}_PACKETS"]] += len(packets)
        count[MeterLine[f"EXTERNAL_{name}_FLITS"]] += sum(len(packet.flits) for packet in packets)


def _peer(shared: int, node_id: int) -> str:
    return "SHARED" if shared >> node_id & 1 else "OWN"
