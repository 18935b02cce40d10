"""skeleton: a node sends a ping to another one and prints how long the answer took."""

from khhw.node import Node, parse_options


async def main(node: Node, arguments: str) -> None:
    """Node `source` pings node `to`, which answers."""
    options = parse_options(arguments, source=0, to=1, patience=50_000)
    source, to, patience = (options[name][0] for name in ("source", "to", "patience"))
    if node.rank == to:
        for packet in await node.reception.receive(patience):
            await node.send(node.shape.rank_of_id(packet.source), b"pong " + packet.payload)
    elif node.rank == source:
        await node.sleep(2000)  # until the other one has booted too
        rung = await node.send(to, b"hello")
        for packet in await node.reception.receive(patience):
            cycles = node.interrupted_at - rung
            await node.console.print(f"node {node.rank}> skeleton: {packet.payload.decode()!r} after {cycles} cycles")
