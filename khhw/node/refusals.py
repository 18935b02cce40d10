"""What the guard of a node refused to send, as the node itself may read it: in one line."""

from collections import Counter

from khhw.node.node import Node
from rtl.formats import Reason
from rtl.registers import REGISTERS, joined

__all__ = ["refused_since"]

_MOST_PEERS = 8
"""Destinations that are named; a kernel may try the whole machine."""


async def refused_since(node: Node, cycle: int) -> str:
    """What a node was refused to send since a cycle, from the log of its guard; one register access if that is empty.

    The log keeps the first refusals since the owner has emptied it. Of the others only the number is known, in which
    those count that other nodes were refused here.

    Returns
    -------
    str
        ``the guard refused to send 3 packets to node 2 (ROW)``, and so on; empty for nothing.
    """
    refused: Counter[tuple[str, str]] = Counter()
    for index in range(await node.read("LOG_COUNT")):
        ends = REGISTERS["LOG_NODES"].unpack(await node.read("LOG_NODES", index))
        if ends["source"] != node.node_id:
            continue
        high, low = await node.read("LOG_TIME_HIGH", index), await node.read("LOG_TIME_LOW", index)
        if joined(low, high) >= cycle:
            reason = Reason(await node.read("LOG_REASON", index)).name
            refused[_name(node, ends["destination"]), reason] += 1
    return _said(refused, await node.read("LOG_LOST")) if refused else ""


def _name(node: Node, node_id: int) -> str:
    try:
        return f"node {node.shape.rank_of_id(node_id)}"
    except ValueError:
        return f"id {node_id}, which is no node"


def _said(refused: Counter[tuple[str, str]], lost: int) -> str:
    numbers = [(f"{number} packet{'s' * (number > 1)}", refusal) for refusal, number in refused.items()]
    named = [f"{number} to {peer} ({reason})" for number, (peer, reason) in numbers[:_MOST_PEERS]]
    if len(refused) > _MOST_PEERS:
        named.append(f"{sum(list(refused.values())[_MOST_PEERS:])} to others")
    if lost:
        named.append(f"and more: its log had no room for {lost} refusals")
    return f"the guard refused to send {', '.join(named)}"
