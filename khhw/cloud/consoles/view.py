"""What people see of a console: lines, each behind a stamp that the service puts there.

What nodes say stands behind the node's rank in brackets, what people write behind a name, and notices of the service
behind ``--``. Names begin with a letter, so that none of the three can be taken for another.
"""

from khhw.cloud.consoles.messages import (
    Booted,
    Came,
    Closed,
    Left,
    Lock,
    Locked,
    Lost,
    Missed,
    Ready,
    Refused,
    SaidByNode,
    Taken,
    ToPerson,
    Typed,
    Unlocked,
    Welcome,
    Written,
)
from khhw.cloud.consoles.recording import Moment
from khhw.cloud.consoles.rows import Rows
from khhw.cloud.words import nodes_in_words

__all__ = ["moment_of", "seen"]

_NOTICE = "-- "
_ERROR = "-- error: "
_NAME = 63
"""Characters of the longest name."""


def seen(message: ToPerson, rows: Rows, console: int) -> str:
    """What a person at a console sees of a message: rows that each end with a newline; nothing of some.

    Parameters
    ----------
    message : ToPerson
        Whatever is in it.
    rows : Rows
        Of the person's terminal.
    console : int
        Where the person is.
    """
    stamp, text = _line(message, console)
    return rows.laid_out(stamp, text) if stamp else ""


def moment_of(message: ToPerson) -> Moment | None:
    """When the machine said it, if it is a node's."""
    return Moment(message.boot, message.cycle) if isinstance(message, SaidByNode) else None


def _line(message: ToPerson, console: int) -> tuple[str, str]:
    """The service's stamp, and what stands behind it."""
    match message:
        case SaidByNode():
            return f"[{message.node}] ", message.text
        case Typed():
            return _who(message, console), message.text
        case Refused() | Closed():
            return _ERROR, message.text
        case Taken() | Ready():
            return "", ""
        case _:
            return _NOTICE, _notice(message)


def _who(typed: Typed, console: int) -> str:
    name = "".join(character for character in typed.who if character.isascii() and character.isprintable())[:_NAME]
    return f"{name}: " if typed.console == console else f"{name} at con{typed.console}: "


def _notice(message: Welcome | Came | Left | Locked | Unlocked | Missed | Lost | Booted | Written) -> str:
    match message:
        case Welcome():
            return _welcome(message)
        case Came(who=who):
            return f"{who} is here"
        case Left(who=who):
            return f"{who} has left"
        case Locked(lock=lock):
            return f"{_writes(lock)}; nobody else writes until it is done"
        case Unlocked(lock=lock, problem=""):
            return f"{lock.name} of {lock.who} is written"
        case Unlocked(lock=lock, problem=problem):
            return f"{lock.name} of {lock.who} is not written: {problem}"
        case Missed(messages=count, lock=lock):
            return f"{count:,} lines missed" + (f"; {_writes(lock)}" if lock else "")
        case Booted(boot=boot):
            return f"the machine was switched on again (boot {boot}): what was in its nodes is gone"
        case Lost(packets=count):
            return f"{count:,} packets of nodes were lost: they came too fast"
        case Written(nodes=nodes, length=length):
            return f"{length:,} bytes written to {nodes_in_words(nodes)}, and checked by each"


def _writes(lock: Lock) -> str:
    return f"{lock.who} is writing {lock.name} ({lock.length:,} bytes)"


def _welcome(welcome: Welcome) -> str:
    names = sorted(set(welcome.people))
    return "; ".join([
        f"con{welcome.console}, {nodes_in_words(welcome.nodes)}", "type help" if welcome.write else "you only listen",
        *([f"here are {', '.join(names)}"] if names else []), *([_writes(welcome.lock)] if welcome.lock else [])])
