"""Commands about who may use a console."""

import argparse
import re

from khhw.cloud.ctl.session import Session
from khhw.cloud.ctl.show import Shown, listed, table
from khhw.errors import RequestError
from khhw.node.commands import list_ranks

__all__ = ["listing", "share", "unshare"]

_CONSOLE = re.compile(r"(?:con)?([0-9]{1,10})\Z")


def listing(session: Session, _arguments: argparse.Namespace) -> Shown:
    """Channels."""
    found = session.get("/v1/consoles")
    rows = [(f"con{one['id']}", one["project"], list_ranks(one["nodes"]) or "-", one["node"], listed(one["rights"]),
             listed(f"{guest['principal']}{' (writes)' if guest['write'] else ''}" for guest in one["shares"]))
            for one in found]
    return Shown(found, table(("console", "project", "nodes", "of one node", "you may", "shared with"), rows,
                              nothing="no consoles"))


def _of(session: Session, arguments: argparse.Namespace) -> str:
    found = _CONSOLE.match(arguments.console)
    if found is None:
        raise RequestError(f"a console is named as in con7, not {arguments.console!r}")
    return session.path("/v1/consoles/{}", int(found[1]))


def share(session: Session, arguments: argparse.Namespace) -> Shown:
    """Somebody else may use it."""
    body = {"guest": arguments.guest, "write": arguments.write}
    made = session.change("POST", _of(session, arguments) + "/guests", body)
    what = "listen and write" if arguments.write else "listen"
    return Shown(made, f"{arguments.guest} may {what} at con{made['id']}\n")


def unshare(session: Session, arguments: argparse.Namespace) -> Shown:
    """No longer."""
    path = _of(session, arguments) + session.path("/guests/{}", arguments.guest)
    return Shown(session.change("DELETE", path), f"{arguments.guest} may no longer listen at {arguments.console}\n")
