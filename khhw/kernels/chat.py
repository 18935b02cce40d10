"""Chat: every node says a line on its console to everybody who listens, and tells the outside whom it heard.

All nodes share one channel, so the tree carries each line to all of them. Hardware hands it over where
isAllowed(speaker, listener): a domain is also a console line of its own.

Arguments: ``settle=`` cycles before speaking, for the slowest node to listen; ``turn=`` cycles from one rank's line
to the next one's; ``quiet=`` cycles without a line after which a node has heard all.
"""

from khhw.node import Node, parse_options


async def main(node: Node, arguments: str) -> None:
    """Say something, listen, and tell."""
    options = parse_options(arguments, settle=3000, turn=200, quiet=6000)
    settle, turn, quiet = (options[name][0] for name in ("settle", "turn", "quiet"))
    heard, others = set(), []
    await node.sleep(settle + turn * node.rank)
    await node.console.send(f"this is node {node.rank}\n".encode(), vector=None)
    while packets := await node.console.receive(quiet):
        for packet in packets:
            if packet.external:
                others.append(packet)
            else:
                heard.add(node.shape.rank_of_id(packet.source))
    node.console.put_back(others)
    names = " ".join(map(str, sorted(heard))) or "nobody"
    await node.console.print(f"node {node.rank}> chat: heard {names}")
