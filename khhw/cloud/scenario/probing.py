"""Who reaches whom, as the nodes of a cloud find out: all that are rented send to all, and tell whom they heard."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from khhw.cloud.models import Console
from khhw.cloud.scenario.consoles import Consoles, SilentError
from khhw.control.console import Answer
from khhw.control.domains import Domains
from khhw.machine.results import Matrix

__all__ = ["probed"]

_HEARD = re.compile(r"node (?P<rank>\d+)> probe: heard (?P<senders>nobody|\d+( \d+)*)")


def probed(
    consoles: Consoles, channels: Sequence[Console], image: bytes, seed: int, configured: Domains,
) -> Matrix:
    """Boot the kernel probe on all nodes of some consoles, and gather what they tell.

    A node tells the sources of the packets that came to it, as hardware has stamped them. Nodes of no console send
    nothing and tell nothing.

    Parameters
    ----------
    consoles : Consoles
    channels : sequence of Console
        Of all leases; their nodes are at their loaders' prompts.
    image : bytes
        Of the probe.
    seed : int
        Of the tokens that are sent.
    configured : Domains
        What the machine was told.

    Raises
    ------
    SilentError
        If a node does not end its probe, or nobody rents one: what is not observed is as nobody has configured it.
    """
    if not any(console.nodes for console in channels):
        raise SilentError("nobody rents a node, so there is nobody to send and nothing to observe; acquire some first")
    for console in channels:
        consoles.load(console, image, None)
    begin = len(consoles.said)
    for console in channels:
        consoles.boot(console, f"seed={seed}", None)
    ranks = sorted(rank for console in channels for rank in console.nodes)
    done = consoles.wait(ranks, Answer("kernel probe done", whole=True), begin)
    heard = _told(consoles, begin, done)
    observed = np.zeros_like(configured.matrix)
    for rank in ranks:
        if rank not in heard:
            raise SilentError(f"node {rank} ended its probe without a word of whom it has heard")
        observed[heard[rank], rank] = True
    return Matrix(configured=configured.matrix.astype(int).tolist(), observed=observed.astype(int).tolist())


def _told(consoles: Consoles, begin: int, done: Mapping[int, int]) -> dict[int, list[int]]:
    """By node, whom it has heard. That a node speaks of itself is checked by its stamp."""
    heard = {}
    for said in (said for index, said in enumerate(consoles.said[begin:], begin) if index < done.get(said.rank, 0)):
        found = _HEARD.fullmatch(said.text)
        if found is not None and int(found["rank"]) == said.rank:
            heard[said.rank] = [int(word) for word in found["senders"].split() if word != "nobody"]
    return heard
