"""Events in words."""

from collections.abc import Iterable

from khhw.cloud.scenario.file import (
    Acquire,
    Add,
    Boot,
    Event,
    Extend,
    Join,
    Leave,
    Remove,
    Share,
    Sublet,
    Transfer,
    Type,
)
from khhw.cloud.words import nodes_in_words

__all__ = ["event_in_words"]

_NAMED = {
    "release": "hands {} back", "accept": "accepts {}", "decline": "declines {}", "create": "makes network {}",
    "consent": "accepts network {}", "cleared": "finds nothing of tenants before in the memories of {}",
    "probe": "probe {}",
}


def event_in_words(event: Event) -> str:
    """What is done, as in ``alice rents 3 nodes as left``."""
    name, value = event.operation
    said = _NAMED[name].format(value) if isinstance(value, str) else _in_words(value)
    return said if event.who is None else f"{event.who} {said}"


def _in_words(value: object) -> str:
    match value:
        case Acquire():
            return f"rents {_some(value)} as {value.lease}{_in_networks(value.networks)}{_for(value.seconds)}"
        case Sublet():
            return f"lets {_some(value)} of {value.of} on to {value.to} as {value.lease}{_for(value.seconds)}"
        case Add():
            return f"adds {_some(value)} to {value.lease}"
        case Remove():
            return f"takes {nodes_in_words(value.nodes)} from {value.lease}"
        case Transfer():
            return f"gives {value.lease} to {value.to}"
        case Extend():
            return f"extends {value.lease} by {value.seconds:g} machine seconds"
        case Share():
            return f"offers network {value.network} to {value.guest}"
        case Join():
            return f"lets {_whole(value.nodes, value.lease)} join network {value.network}"
        case Leave():
            return f"ends consent about network {value.network}" + (f" with {value.guest}" if value.guest else "")
        case Type():
            return f"types {value.line!r} to {_whole(value.nodes, value.lease)}"
        case Boot():
            return f"boots {value.kernel} on {_whole(value.nodes, value.lease)}"
    raise AssertionError(f"no words for {value!r}")


def _some(wish: Acquire | Sublet | Add) -> str:
    if wish.nodes is not None:
        return nodes_in_words(wish.nodes)
    return "a node" if wish.count in (None, 1) else f"{wish.count} nodes"


def _whole(nodes: Iterable[int] | None, lease: str) -> str:
    return lease if nodes is None else f"{nodes_in_words(list(nodes))} of {lease}"


def _in_networks(names: list[str]) -> str:
    return f" in network{'s' * (len(names) > 1)} {', '.join(names)}" if names else ""


def _for(seconds: float | None) -> str:
    return "" if seconds is None else f" for {seconds:g} machine seconds"
