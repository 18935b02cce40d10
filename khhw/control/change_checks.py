"""What a change of domains is asked for with, and what of it cannot be."""

from collections.abc import Collection, Mapping

from khhw.control.domains import DomainError, Domains
from khhw.control.owner import ConsoleKeys, Owner, RefusedError, named
from khhw.control.tables import REVISIONS
from khhw.control.tree_classes import ROUTED_CLASSES
from khhw.node.tree_packets import Control
from rtl.formats import ControlOp, TreeClass
from rtl.registers import LARGEST, REGISTERS

__all__ = ["check_change", "check_hand_over", "check_room"]

_CHANNELS = 1 << 32


def check_change(nodes: int, new: Domains, revision: int, classes: Mapping[int, int]) -> None:
    """Whether a machine of so many nodes can hold these domains, as this revision, with these classes of texts.

    Parameters
    ----------
    nodes : int
    new : Domains
    revision : int
    classes : mapping of int to int
        By rank.

    Raises
    ------
    DomainError
        If not.
    """
    if new.nodes != nodes:
        raise DomainError((), f"Domains of {new.nodes} nodes for a machine of {nodes}")
    if not 0 <= revision < REVISIONS:
        raise DomainError(("revision",), f"a revision is a number from 0 to {REVISIONS - 1}, not {revision}")
    for rank, number in classes.items():
        if not 0 <= rank < nodes:
            raise DomainError(("classes",), f"no node {rank}; nodes are 0 to {nodes - 1}")
        if number not in (*TreeClass, *ROUTED_CLASSES):
            raise DomainError(("classes", rank), f"a class is a number from 0 to {int(TreeClass.BROADCAST)}, not "
                              f"{number}")


def check_hand_over(
    nodes: int, ranks: Collection[int], keys: Mapping[int, ConsoleKeys], vacant: Collection[int],
    classes: Mapping[int, int],
) -> None:
    """Whether nodes of a machine can be handed over with these keys.

    Parameters
    ----------
    nodes : int
        Of the machine.
    ranks : collection of int
        Those that are handed over.
    keys : mapping of int to ConsoleKeys
        By rank.
    vacant : collection of int
    classes : mapping of int to int
        As of :func:`check_change`.

    Raises
    ------
    DomainError
        If not.
    """
    for rank in ranks:
        if not 0 <= rank < nodes:
            raise DomainError(("ranks",), f"no node {rank}; nodes are 0 to {nodes - 1}")
    if not ranks:
        raise DomainError(("ranks",), "there is no node to hand over")
    if odd := sorted({*vacant} - {*ranks} | {*vacant} & {*keys}):
        raise DomainError(("vacant",), f"{named(odd)}: not handed over, or given keys, and yet vacant")
    for rank, given in keys.items():
        if rank not in ranks:
            raise DomainError(("keys", rank), f"node {rank} is not handed over; keys are for {ranks}")
        if len(given.receive) > LARGEST.receive_ids:
            raise DomainError(("keys", rank), f"{len(given.receive)} channels; no node hears more than "
                              f"{LARGEST.receive_ids}")
        for key in (given.send, *given.receive):
            if not 0 <= key < _CHANNELS:
                raise DomainError(("keys", rank), f"a channel id has 32 bits, and {key} has not")
        if given.tree_class in ROUTED_CLASSES and classes.get(rank) != given.tree_class:
            raise DomainError(("keys", rank), f"class {given.tree_class}, which `classes` does not give to node {rank}")


async def check_room(owner: Owner, keys: Mapping[int, ConsoleKeys]) -> None:
    """Ask nodes, before anything is done, whether they can hear so many channels.

    Parameters
    ----------
    owner : Owner
    keys : mapping of int to ConsoleKeys
        By rank.

    Raises
    ------
    DomainError
        If one cannot.
    """
    last = {rank: [Control(ControlOp.READ, REGISTERS["CONSOLE_RECEIVE_ID"].at(len(given.receive) - 1))]
            for rank, given in keys.items() if given.receive}
    try:
        await owner.read_each(last)
    except RefusedError as error:
        rank = error.rank
        assert rank is not None
        raise DomainError(("keys", rank), f"{len(keys[rank].receive)} channels; node {rank} hears less") from None
