"""Commands about principals, quotas and tokens."""

import argparse
import getpass
import hashlib
import math
import secrets
from pathlib import Path
from typing import Any

from khhw.cloud.ctl.session import Session
from khhw.cloud.ctl.show import Shown, fields, table
from khhw.cloud.tls import write_secret
from khhw.errors import RequestError

__all__ = [
    "create", "create_token", "credential", "delete", "disable", "enable", "listing", "quota", "revoke", "show",
    "tokens", "whoami",
]

Json = dict[str, Any]
_LIMITS = ("nodes", "networks", "leases", "seconds")


def _of(session: Session, name: str, below: str = "") -> str:
    return session.path("/v1/principals/{}", name) + below


def whoami(session: Session, _arguments: argparse.Namespace) -> Shown:
    """Who asks."""
    return _one(session.get("/v1/whoami"))


def show(session: Session, arguments: argparse.Namespace) -> Shown:
    """One principal."""
    return _one(session.get(_of(session, arguments.user)))


def _one(found: Json) -> Shown:
    pairs = [(name, found[name]) for name in ("name", "parent", "enabled", "created_at", "id")]
    return Shown(found, fields([*pairs, *_held(found)]))


def _held(found: Json) -> list[tuple[str, str]]:
    # Of seconds nobody holds any: they are how far from now a lease may end.
    return [(name, f"{found['usage'][name]} of {_limit(found['quota'][name])}" if name in found["usage"]
             else _limit(found["quota"][name])) for name in _LIMITS]


def _limit(value: float | None) -> str:
    return "any number" if value is None else f"{value:.10g}"


def listing(session: Session, _arguments: argparse.Namespace) -> Shown:
    """Principals."""
    found = session.get("/v1/principals")
    rows = [(one["name"], one["parent"], one["enabled"], *(value for _, value in _held(one))) for one in found]
    return Shown(found, table(("name", "parent", "enabled", *_LIMITS), rows, nothing="nobody"))


def quota(session: Session, arguments: argparse.Namespace) -> Shown:
    """What somebody may hold."""
    name = arguments.user or session.get("/v1/whoami")["name"]
    wished = _quota(arguments)
    if wished:
        before = session.get(_of(session, name))["quota"]
        found = session.change("PUT", _of(session, name, "/quota"), before | wished)
    else:
        found = session.get(_of(session, name))
    return Shown(found, fields([("name", found["name"]), *_held(found)]))


def _quota(arguments: argparse.Namespace) -> Json:
    given = {name: getattr(arguments, name) for name in _LIMITS}
    return {name: _number(name, text) for name, text in given.items() if text is not None}


def _number(name: str, text: str) -> float | None:
    if text == "none":
        return None
    try:
        number = float(text) if name == "seconds" else int(text)
    except ValueError:
        number = -1
    if not 0 <= number < math.inf:
        raise RequestError(f"--{name} takes a number from 0, or none, not {text!r}")
    return number


def create(session: Session, arguments: argparse.Namespace) -> Shown:
    """Somebody, with a token."""
    _token_file(arguments)
    made = session.change("POST", "/v1/principals", {"name": arguments.user, "quota": _quota(arguments)})
    token = _token(session, arguments, "first")
    return Shown({"principal": made, "token": token.data},
                 f"{made['name']} is known now\n{token.text}{_nothing_yet(made)}")


def _nothing_yet(made: Json) -> str:
    """Who may hold no nodes is told how that changes."""
    if made["quota"]["nodes"] != 0:
        return ""
    return f"{made['name']} may hold no nodes yet: khhw ctl quota {made['name']} --nodes N\n"


def delete(session: Session, arguments: argparse.Namespace) -> Shown:
    """Nobody any more."""
    return Shown(session.change("DELETE", _of(session, arguments.user)), f"{arguments.user} is deleted\n")


def enable(session: Session, arguments: argparse.Namespace) -> Shown:
    """Let in."""
    made = session.change("PUT", _of(session, arguments.user, "/enabled"), {"enabled": True})
    return Shown(made, f"{made['name']} is let in\n")


def disable(session: Session, arguments: argparse.Namespace) -> Shown:
    """Keep out."""
    made = session.change("PUT", _of(session, arguments.user, "/enabled"), {"enabled": False})
    return Shown(made, f"{made['name']} is kept out\n")


def credential(session: Session, arguments: argparse.Namespace) -> Shown:
    """The credential for ssh, which is asked for, so that it is in no list of processes."""
    chosen = None
    if not arguments.none:
        ask = getattr(arguments, "ask", getpass.getpass)
        chosen = ask(f"credential of {arguments.user}: ")
        if ask("the same again: ") != chosen:
            raise RequestError("these are two; nothing is changed")
    made = session.change("PUT", _of(session, arguments.user, "/credential"), {"credential": chosen})
    return Shown(made, f"{made['name']} has {'no' if arguments.none else 'another'} credential\n")


def tokens(session: Session, arguments: argparse.Namespace) -> Shown:
    """Tokens without their secrets."""
    name = arguments.user or session.get("/v1/whoami")["name"]
    found = session.get(_of(session, name, "/tokens"))
    rows = [(one["id"], one["label"], one["created_at"], one["expires_at"]) for one in found]
    return Shown(found, table(("id", "label", "created", "expires"), rows, nothing="no tokens"))


def create_token(session: Session, arguments: argparse.Namespace) -> Shown:
    """A token, made here, so that a lost answer loses nothing."""
    arguments.user = arguments.user or session.get("/v1/whoami")["name"]
    _token_file(arguments)
    return _token(session, arguments, arguments.label, arguments.expires)


def _token_file(arguments: argparse.Namespace) -> Path | None:
    """The file that a token goes to; None over ssh, where it is printed.

    Raises
    ------
    RequestError
        If there is a file already.
    """
    if not hasattr(arguments, "secret_file"):
        return None
    path = Path(arguments.secret_file or f"{arguments.user}.token")
    if path.exists():
        raise RequestError(f"{path} is there already; name another file with --token-file")
    return path


def _token(session: Session, arguments: argparse.Namespace, label: str, expires: str | None = None) -> Shown:
    path, secret = _token_file(arguments), secrets.token_hex(32)
    if path is not None:
        write_secret(path, f"{secret}\n".encode())
    try:
        made = session.change("POST", _of(session, arguments.user, "/tokens"), {
            "label": label, "expires_at": expires, "sha256": hashlib.sha256(secret.encode()).hexdigest()})
    except RequestError:
        if path is not None:
            path.unlink()
        raise
    if path is None:
        return Shown({**made, "secret": secret}, f"token: {secret}\n")
    return Shown({**made, "file": str(path)}, f"its token is in {path}, which only you can read\n")


def revoke(session: Session, arguments: argparse.Namespace) -> Shown:
    """Not any more."""
    made = session.change("DELETE", session.path("/v1/tokens/{}", arguments.token))
    return Shown(made, f"token {made['id']} of {made['principal']} is accepted no longer\n")
