"""Commands about leases."""

import argparse
import re
from typing import Any

from khhw.cloud.acquire import USAGE, CommandLine, CommandLineError, HelpWanted, NodeInfo, Text
from khhw.cloud.ctl.session import RefusedError, Session
from khhw.cloud.ctl.show import Shown, fields, listed, relays, table, warned
from khhw.cloud.words import nodes_in_words
from khhw.errors import RequestError
from khhw.node.commands import WrongLine, list_ranks, parse_nodes
from rtl.formats import TreeClass

__all__ = [
    "accept", "acquire", "add", "decline", "extend", "find", "listing", "release", "remove", "rename", "show",
    "some_ranks", "sublet", "transfer", "warm",
]

Json = dict[str, Any]
_CONSOLE = re.compile(r"con([0-9]{1,10})\Z")


def acquire(session: Session, arguments: argparse.Namespace) -> Shown:
    """``acquireNodes``: rent nodes; the text is the original's, byte for byte."""
    words = [word for word in arguments.words if word != "--json"]
    if len(words) < len(arguments.words):
        arguments.json = True
    try:
        line = CommandLine.parse(words)
    except HelpWanted:
        return Shown({"usage": USAGE}, f"{USAGE}\n")
    except CommandLineError as error:
        raise RequestError(str(error)) from None
    wish = {"user": line.user, "count": line.count, "networks": [{"network": one} for one in line.networks],
            "internal": line.internal, "external": line.external, "seconds": line.seconds, "until": line.until,
            "strict": line.strict, "new_networks": line.new}
    if line.credential is not None:
        _known(session, line)
    intent = session.intend("POST", "/v1/leases", wish)
    lease = session.get(session.path("/v1/leases/{}", intent["lease_uuid"]))
    text = str(_text(session, line, lease))
    return Shown({"intent": intent, "lease": lease, "text": text}, text, relays(intent) + warned(intent))


def _text(session: Session, line: CommandLine, lease: Json) -> Text:
    joined = [one["network"] for one in lease["networks"]]
    private = [one for one in line.networks if one in joined]
    private += sorted(one for one in joined if one > 2 and one not in private)
    return Text(lease["console"], session.host, tuple(private), internal=2 in joined, external=lease["external"],
                nodes=tuple(NodeInfo.of(rank) for rank in lease["nodes"]))


def _known(session: Session, line: CommandLine) -> None:
    """See to it that the user is known: one who is new may hold as much as is asked for, and has this credential."""
    try:
        session.get(session.path("/v1/principals/{}", line.user))
    except RefusedError as error:
        if error.status != 404:
            raise
        session.change("POST", "/v1/principals", {
            "name": line.user, "credential": line.credential,
            "quota": {"nodes": line.count, "networks": max(4, line.new or 0)}})
    else:
        raise RequestError(f"-c is for a user who is new; {line.user} is known")


def find(session: Session, word: str) -> str:
    """What the service calls a lease that somebody has typed: its UUID or name, or the lease of a console.

    Raises
    ------
    RequestError
        If no lease has this console.
    """
    if (found := _CONSOLE.match(word)) is None:
        return word
    console = int(found[1])
    # No console has a number that another one had, so those that have ended can be meant as well.
    for ended in (None, True):
        for lease in session.get("/v1/leases", ended=ended):
            if lease["console"] == console:
                return str(lease["uuid"])
    raise RequestError(f"no lease of yours has or had the console {word}; khhw ctl list shows which there are, and "
                       "with --ended those that have ended")


def some_ranks(text: str | None) -> list[int] | None:
    """Ranks as people write them, 0,4-7.

    Raises
    ------
    RequestError
        If they are none.
    """
    if text is None:
        return None
    nodes = parse_nodes(text)
    if isinstance(nodes, WrongLine) or text == "all":
        raise RequestError(f"nodes are a list of ranks, as in 0,4-7, not {text!r}")
    return sorted({rank for low, high in nodes.stretches for rank in range(low, high + 1)})


def _count(count: int | None, nodes: list[int] | None) -> Json:
    if count is not None and nodes is not None:
        raise RequestError("give a number of nodes or --nodes, not both")
    return {"nodes": nodes} if nodes is not None else {"count": 1 if count is None else count}


def sublet(session: Session, arguments: argparse.Namespace) -> Shown:
    """Let nodes on."""
    lease = session.get(_of(session, arguments.lease))
    wish = {"user": arguments.user, "parent_lease_uuid": lease["uuid"], "name": arguments.name,
            "seconds": arguments.seconds, "until": arguments.until, "strict": arguments.strict,
            "networks": [{"network": one} for one in arguments.network],
            "internal": arguments.internal, "external": arguments.external}
    intent = session.intend("POST", "/v1/leases", wish | _count(arguments.count, some_ranks(arguments.nodes)))
    return _changed(session, intent)


def _of(session: Session, word: str, below: str = "") -> str:
    return session.path("/v1/leases/{}", find(session, word)) + below


def listing(session: Session, arguments: argparse.Namespace) -> Shown:
    """Leases."""
    leases = session.get("/v1/leases", ended=arguments.ended)
    rows = [(_console(one) or "-", one["name"], one["project"], one["owner"], _status(one),
             list_ranks(one["nodes"]) or "-", list_ranks(one["sublet"]) or "-",
             listed(join["network"] for join in one["networks"]), _texts(one), one["end_time"], one["uuid"])
            for one in leases]
    return Shown(leases, table(("console", "name", "project", "owner", "status", "nodes", "sublet", "networks",
                                "texts", "ends at", "uuid"), rows, nothing="no leases"))


def show(session: Session, arguments: argparse.Namespace) -> Shown:
    """One lease."""
    lease = session.get(_of(session, arguments.lease))
    return Shown(lease, _fields(lease))


def _console(lease: Json) -> str | None:
    """Its console; a lease that is only offered has none yet."""
    return None if lease["console"] is None else f"con{lease['console']}"


def _texts(lease: Json) -> str | None:
    """How what its nodes say goes through the tree."""
    number = lease["tree_class"]
    return None if number is None else "class 15, past all" if number == TreeClass.BROADCAST else f"class {number}"


def _or_now(cycle: int | None) -> str:
    """The end of a boot; there is none yet of the last."""
    return "now" if cycle is None else str(cycle)


def _status(lease: Json) -> str:
    """And to whom it is offered: who is to accept it sees it among his own."""
    return f"{lease['status']}, offered to {lease['transfer_to']}" if lease["transfer_to"] else str(lease["status"])


def _fields(lease: Json) -> str:
    shown = dict(lease, nodes=list_ranks(lease["nodes"]) or None, sublet=list_ranks(lease["sublet"]) or None,
                 console=_console(lease),
                 networks=listed(f"{one['network']} ({one['direction']})" for one in lease["networks"]),
                 boots=listed(f"{one['boot']}: {one['cycle_start']} to {_or_now(one['cycle_end'])}"
                              for one in lease["boots"]))
    return fields(shown.items())


def _changed(session: Session, intent: Json) -> Shown:
    """A lease after a change, in a line, and what the change opens."""
    lease = session.get(session.path("/v1/leases/{}", intent["lease_uuid"]))
    has = "had" if lease["status"] in ("deleted", "expired", "wait cancel", "wait expire") else "has"
    on_its_way = "" if intent["state"] == "done" else f"; on its way, khhw ctl intent {intent['id']} tells how far"
    text = (f"{_console(lease) or 'a lease'}: {_status(lease)}, {lease['project']} {has} "
            f"{nodes_in_words(lease['nodes'])}{on_its_way}\n")
    return Shown({"intent": intent, "lease": lease}, text + relays(intent) + warned(intent))


def release(session: Session, arguments: argparse.Namespace) -> Shown:
    """End a lease."""
    intent = session.intend("DELETE", _of(session, arguments.lease), strict=arguments.strict)
    return _changed(session, intent)


def add(session: Session, arguments: argparse.Namespace) -> Shown:
    """More nodes."""
    body = {**_count(arguments.count, some_ranks(arguments.nodes)), "strict": arguments.strict}
    return _changed(session, session.intend("POST", _of(session, arguments.lease, "/add"), body))


def remove(session: Session, arguments: argparse.Namespace) -> Shown:
    """Fewer nodes."""
    body = {"nodes": some_ranks(arguments.ranks), "strict": arguments.strict}
    return _changed(session, session.intend("POST", _of(session, arguments.lease, "/remove"), body))


def transfer(session: Session, arguments: argparse.Namespace) -> Shown:
    """To somebody else."""
    body = {"to": arguments.user, "strict": arguments.strict}
    intent = session.intend("POST", _of(session, arguments.lease, "/transfer"), body)
    return _given(session, intent, "it is no longer yours")


def _given(session: Session, intent: Json, gone: str) -> Shown:
    """As :func:`_changed`; who has given a lease away, or not taken it, may not see it any more."""
    try:
        return _changed(session, intent)
    except RefusedError as error:
        if error.status != 404:
            raise
        return Shown({"intent": intent, "lease": None}, f"{gone}\n{relays(intent)}")


def accept(session: Session, arguments: argparse.Namespace) -> Shown:
    """Take what is offered."""
    path = _of(session, arguments.lease, "/accept")
    return _changed(session, session.intend("POST", path, strict=arguments.strict))


def decline(session: Session, arguments: argparse.Namespace) -> Shown:
    """Do not take it."""
    return _given(session, session.intend("POST", _of(session, arguments.lease, "/decline")), "it is declined")


def extend(session: Session, arguments: argparse.Namespace) -> Shown:
    """A later end."""
    if arguments.seconds is None and arguments.until is None:
        raise RequestError("extend takes --seconds, --until, or both")
    lease = session.change("POST", _of(session, arguments.lease, "/extend"),
                           {"seconds": arguments.seconds, "until": arguments.until})
    return Shown(lease, fields([("ends at", lease["end_time"]), ("deadline", lease["until"])]))


def rename(session: Session, arguments: argparse.Namespace) -> Shown:
    """Another name."""
    lease = session.change("PUT", _of(session, arguments.lease, "/name"), {"name": arguments.name})
    return Shown(lease, f"con{lease['console']} is called {lease['name'] or 'nothing'}\n")


def warm(session: Session, arguments: argparse.Namespace) -> Shown:
    """Cold nodes are ready."""
    lease = session.change("POST", _of(session, arguments.lease, "/warm"))
    return Shown(lease, f"con{lease['console']}: ready, {nodes_in_words(lease['nodes'])}\n")
