"""Says what it was booted with."""

from khhw.node import Node

CARGO = (
    "457c769f39d8644199c0e5bdbcfbc85b37ce91cbde1fc1b0ea6b44f130436dd729fe69bd9e8ceba6a07d1dec25b1b087efe2"
    "6c07ff0d21d7db0b33777738a5c674d37ff136eac13f553223a63841460d3b6aa1e68d682728f610fb1c7fd92d5fa2e81478"
    "007152dea8651f3fce59796168e9338b87fe1a1a45cfed925923d43f99735b0320db2ebba29a7b376c967c681d288c479c2e"
)
"""Makes an image of more than one packet, however well it is packed."""


async def main(node: Node, arguments: str) -> None:
    """One line."""
    await node.console.print(f"node {node.rank}> greetings, {arguments}")
