"""The calls between service and machine, as they stand in frames: what each takes, what it answers, how it fails.

A call is ``{"id": N, "call": NAME, "arguments": {...}}``; its answer bears the same id and either ``result``, or
``error`` (a name in :data:`ERRORS`) and ``message``. The machine begins with a :class:`Hello`, or with
``{"refused": SENTENCE}`` and the end. What nodes say on channels that are listened to it sends as ``{"heard": {...}}``,
with the payload as the frame's bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from khhw.cloud.machine import (
    Applied,
    Clock,
    MachineDiffersError,
    MachineError,
    MachineFaultError,
    MachineInfo,
    NodeState,
    Reading,
    RequestRefusedError,
    Revision,
)

__all__ = [
    "CALLS", "ERRORS", "HELLO", "REFUSED", "VERSION", "Apply", "Approve", "Call", "CallError", "Channel", "Hello",
    "Nothing", "PassUntil", "Read", "Say", "plain",
]

VERSION = 3
"""Of all this; a service and a machine of different ones do not talk."""
REFUSED = "refused"
"""Field of what a connection begins with that the machine does not take."""


class CallError(MachineError):
    """A call or an answer that is not as it must be."""


@dataclass(frozen=True)
class Hello:
    """What the machine says first.

    Parameters
    ----------
    version : int
        :data:`VERSION`.
    pid : int
        Process of the simulator.
    boot : int
        Of this life.
    info : MachineInfo
        What it is.
    """

    version: int
    pid: int
    boot: int
    info: MachineInfo


@dataclass(frozen=True)
class Nothing:
    """No arguments, or nothing to say."""


@dataclass(frozen=True)
class Apply:
    """Arguments of ``apply``."""

    revision: Revision


@dataclass(frozen=True)
class Read:
    """Arguments of ``read``; no ranks: all."""

    tag: int
    ranks: tuple[int, ...] | None


@dataclass(frozen=True)
class Approve:
    """Arguments of ``approve``."""

    images: tuple[str, ...]


@dataclass(frozen=True)
class Channel:
    """Arguments of ``listen`` and ``unlisten``."""

    channel: int


@dataclass(frozen=True)
class Say:
    """Arguments of ``say``; raw data is the frame's."""

    channel: int
    text: str


@dataclass(frozen=True)
class PassUntil:
    """Arguments of ``pass_until``."""

    cycle: int


@dataclass(frozen=True)
class Call:
    """A call: types of its arguments and of its result."""

    arguments: TypeAdapter[Any]
    result: TypeAdapter[Any]

    @classmethod
    def of(cls, arguments: Any, result: Any) -> "Call":
        """A call that takes and answers these."""
        return cls(TypeAdapter(arguments), TypeAdapter(result))


HELLO: TypeAdapter[Hello] = TypeAdapter(Hello)
CALLS: Mapping[str, Call] = {
    "apply": Call.of(Apply, Applied),
    "approve": Call.of(Approve, Nothing),
    "clock": Call.of(Nothing, Clock),
    "listen": Call.of(Channel, Nothing),
    "nodes": Call.of(Nothing, list[NodeState]),
    "pass_until": Call.of(PassUntil, Clock),
    "read": Call.of(Read, list[Reading]),
    "say": Call.of(Say, Clock),
    "switch_off": Call.of(Nothing, Nothing),
    "unlisten": Call.of(Channel, Nothing),
}

ERRORS: Mapping[str, type[MachineError]] = {
    "fault": MachineFaultError, "refused": RequestRefusedError, "differs": MachineDiffersError, "failed": MachineError,
}
"""What a call can fail with, the most particular first."""


def plain(adapter: TypeAdapter[Any], values: Any) -> Any:
    """What plain values of a frame stand for.

    Raises
    ------
    CallError
        If they are not of that type.
    """
    try:
        return adapter.validate_python(values)
    except ValidationError as error:
        wrong = [(".".join(map(str, detail["loc"])) or "all of it", detail["msg"]) for detail in error.errors()]
        raise CallError("; ".join(f"{path}: {message}" for path, message in wrong)) from None
