"""Commands about networks."""

import argparse
from typing import Any

from khhw.cloud.ctl.leases import find, some_ranks
from khhw.cloud.ctl.session import Session
from khhw.cloud.ctl.show import Shown, fields, listed, relays, table
from khhw.cloud.words import nodes_in_words
from khhw.node.commands import list_ranks

__all__ = ["accept", "create", "delete", "join", "leave", "listing", "part", "rename", "share", "show"]


def _of(session: Session, arguments: argparse.Namespace, below: str = "") -> str:
    return session.path("/v1/networks/{}", arguments.network) + below


def listing(session: Session, _arguments: argparse.Namespace) -> Shown:
    """Networks."""
    found = session.get("/v1/networks")
    rows = [(one["id"], one["name"], one["kind"], one["owner"], list_ranks(one["nodes"]) or "-",
             listed(f"{guest['principal']} ({guest['state']})" for guest in one["consents"])) for one in found]
    return Shown(found, table(("id", "name", "kind", "owner", "nodes", "guests"), rows, nothing="no networks"))


def create(session: Session, arguments: argparse.Namespace) -> Shown:
    """A network."""
    made = session.change("POST", "/v1/networks", {"name": arguments.name})
    return Shown(made, f"network {made['id']}\n")


def show(session: Session, arguments: argparse.Namespace) -> Shown:
    """One network."""
    one = session.get(_of(session, arguments))
    guests = listed(f"{guest['principal']} ({guest['state']}, {guest['direction']})" for guest in one["consents"])
    return Shown(one, fields(dict(one, nodes=list_ranks(one["nodes"]) or None, consents=guests).items()))


def rename(session: Session, arguments: argparse.Namespace) -> Shown:
    """Another name."""
    one = session.change("PUT", _of(session, arguments, "/name"), {"name": arguments.name})
    return Shown(one, f"network {one['id']} is called {one['name'] or 'nothing'}\n")


def _done(intent: dict[str, Any], text: str) -> Shown:
    on_its_way = "" if intent["state"] == "done" else f"; on its way, khhw ctl intent {intent['id']} tells how far"
    return Shown(intent, f"{text}{on_its_way}\n{relays(intent)}")


def delete(session: Session, arguments: argparse.Namespace) -> Shown:
    """No longer."""
    return _done(session.intend("DELETE", _of(session, arguments)), f"network {arguments.network} is deleted")


def share(session: Session, arguments: argparse.Namespace) -> Shown:
    """An offer."""
    body = {"guest": arguments.guest, "direction": arguments.direction or "both"}
    made = session.change("POST", _of(session, arguments, "/guests"), body)
    return Shown(made, f"network {made['network']} is {made['state']} to {made['principal']} ({made['direction']})\n")


def accept(session: Session, arguments: argparse.Namespace) -> Shown:
    """Yes."""
    made = session.change("POST", _of(session, arguments, "/accept"))
    return Shown(made, f"your nodes may join network {made['network']} ({made['direction']})\n")


def leave(session: Session, arguments: argparse.Namespace) -> Shown:
    """No more."""
    intent = session.intend("POST", _of(session, arguments, "/leave"), guest=arguments.guest)
    whose = f"nodes of {arguments.guest}" if arguments.guest else "your nodes"
    return _done(intent, f"{whose} are no longer in network {arguments.network}")


def join(session: Session, arguments: argparse.Namespace) -> Shown:
    """Nodes come."""
    path = session.path("/v1/leases/{}/networks", find(session, arguments.lease))
    body = {"network": arguments.network, "direction": arguments.direction, "nodes": some_ranks(arguments.nodes),
            "strict": arguments.strict}
    return _done(session.intend("POST", path, body), f"{_which(arguments, 'is', 'are')} in network {arguments.network}")


def _which(arguments: argparse.Namespace, of_one: str, of_several: str) -> str:
    """Which nodes, and the verb that goes with their number."""
    ranks = some_ranks(arguments.nodes)
    verb = of_one if ranks is not None and len(ranks) == 1 else of_several
    return f"{'all nodes' if ranks is None else nodes_in_words(ranks)} of {arguments.lease} {verb}"


def part(session: Session, arguments: argparse.Namespace) -> Shown:
    """Nodes go."""
    path = session.path("/v1/leases/{}/networks/{}", find(session, arguments.lease), arguments.network)
    intent = session.intend("DELETE", path, node=some_ranks(arguments.nodes))
    return _done(intent, f"{_which(arguments, 'has', 'have')} left network {arguments.network}")
