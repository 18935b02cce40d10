"""Commands about the machine."""

import argparse
import re
from pathlib import Path

from khhw.cloud.ctl.session import Session
from khhw.cloud.ctl.show import Shown, checked, fields, listed, relays, table
from khhw.errors import RequestError
from khhw.kernels.approval import image_digest
from khhw.kernels.image import Image, ImageError

__all__ = [
    "approve", "audit", "check", "images", "intent", "intents", "machine", "nodes", "quarantine", "restore", "withdraw",
]

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def nodes(session: Session, _arguments: argparse.Namespace) -> Shown:
    """Nodes."""
    found = session.get("/v1/nodes")
    rows = [(one["rank"], one["state"], one["project"], one["lease_name"] or one["lease_uuid"],
             listed(f"{join['network']}{'' if join['direction'] == 'both' else ' ' + join['direction']}"
                    for join in one["networks"]),
             None if one["console"] is None else f"con{one['console']}") for one in found]
    return Shown(found, table(("node", "state", "project", "lease", "networks", "console"), rows, nothing="no nodes"))


def quarantine(session: Session, arguments: argparse.Namespace) -> Shown:
    """Nobody has it."""
    made = session.intend("POST", session.path("/v1/nodes/{}/quarantine", arguments.rank))
    return Shown(made, f"node {arguments.rank} is nobody's any more\n{relays(made)}")


def restore(session: Session, arguments: argparse.Namespace) -> Shown:
    """Everybody may have it."""
    made = session.change("POST", session.path("/v1/nodes/{}/restore", arguments.rank))
    return Shown(made, f"node {made['rank']} is {made['state']}\n")


def machine(session: Session, _arguments: argparse.Namespace) -> Shown:
    """What it is, and what time it is in it."""
    found = session.get("/v1/machine")
    now = found["time"]
    return Shown(found, fields([
        ("shape", "x".join(map(str, found["shape"]))), ("nodes", found["nodes"]),
        ("memory of a node", f"{found['memory_bytes']} bytes"), ("clock", f"{found['clock_hz']} Hz"),
        ("time", f"{now['seconds']:.6f} machine seconds"), ("boot", now["boot"]), ("cycle", now["cycle"]),
        ("running", now["running"]), ("ssh port", found["ssh_port"]), ("digest", found["digest"])]))


def intents(session: Session, arguments: argparse.Namespace) -> Shown:
    """Changes on their way."""
    found = session.get("/v1/intents", open=not arguments.all)
    rows = [(one["id"], one["operation"], one["principal"], one["state"], one["revision"], one["error"])
            for one in found]
    return Shown(found, table(("id", "operation", "principal", "state", "revision", "error"), rows,
                              nothing="nothing is on its way"))


def intent(session: Session, arguments: argparse.Namespace) -> Shown:
    """One change."""
    found = session.get(session.path("/v1/intents/{}", arguments.id))
    rest = {name: value for name, value in found.items() if name != "relays"}
    return Shown(found, fields(rest.items()) + relays(found))


def images(session: Session, _arguments: argparse.Namespace) -> Shown:
    """Images that may boot."""
    found = session.get("/v1/images")
    rows = [(one["sha256"], one["name"], one["approved_at"]) for one in found]
    return Shown(found, table(("sha256", "name", "approved"), rows, nothing="no image may boot"))


def approve(session: Session, arguments: argparse.Namespace) -> Shown:
    """Let an image boot."""
    digest, name = arguments.image, arguments.name
    if not _DIGEST.match(digest):
        if not arguments.files:
            raise RequestError(f"an image is named by its SHA-256, 64 hexadecimal digits, not {digest!r}")
        try:
            data = Path(digest).read_bytes()
        except OSError as error:
            raise RequestError(
                f"{digest}: cannot be read: {error.strerror}; an image is a file, or its SHA-256") from None
        name, digest = name or Path(digest).name, _digest_of(data, digest)
    made = session.change("POST", "/v1/images", {"sha256": digest, "name": name or digest[:12]})
    return Shown(made, f"{made['sha256']} may boot\n")


def _digest_of(data: bytes, file: str) -> str:
    """The SHA-256 that loaders will ask for; of a file that is no image they never would."""
    try:
        image = Image.parse(data)
    except ImageError as error:
        raise RequestError(f"{file} is no image of a kernel ({error}); khhw image KERNEL makes one") from None
    return image_digest(data[:image.length])


def withdraw(session: Session, arguments: argparse.Namespace) -> Shown:
    """It may not."""
    made = session.change("DELETE", session.path("/v1/images/{}", arguments.sha256))
    return Shown(made, f"{made['sha256']} may boot no more\n")


def audit(session: Session, arguments: argparse.Namespace) -> Shown:
    """Who did what."""
    found = session.get("/v1/audit", after=arguments.after, limit=arguments.limit)
    rows = [(one["number"], one["at"], one["principal"], one["operation"], one["result"]) for one in found]
    return Shown(found, table(("number", "at", "principal", "operation", "result"), rows, nothing="nothing"))


def check(session: Session, arguments: argparse.Namespace) -> Shown:
    """Whether all agrees."""
    found = session.change("POST", "/v1/check")
    arguments.failed = not found["clean"]
    return Shown(found, checked(found, "the machine was not asked: it does not answer, or changes are on their way"))
