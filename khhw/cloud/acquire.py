"""``acquireNodes`` of the original: its command line, and the text that it printed.

The text is what tools of the original (khdo, khpipe) read: one item a line, in the order console, protocol, networks,
nodes one by one, all nodes. Source: ``khctl`` in the repository kittyhawk/scripts on GitHub.
"""

import getopt
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = [
    "FEW_NODES", "USAGE", "CommandLine", "CommandLineError", "HelpWanted", "NodeInfo", "Text", "address",
    "location_number",
]

FEW_NODES = "not enough nodes available"
"""What is printed where fewer nodes are free than were asked for; on standard output, as in the original."""

USAGE = """\
acquireNodes [-n NETWORK[,NETWORK,...]] [-p NUMBER] [-i] [-x] [-c CREDENTIAL] USER [NODES]
  -n  the nodes join these private networks, which USER must own
  -p  the nodes join so many new private networks, behind those of -n
  -i  the nodes join network 2, Internal
  -x  the nodes join network 1, External
  -c  credential of a USER who is new
  --strict      refuse what would let nodes talk through relays that could not before
  --until TIME  end of the lease on the wall clock, as in 2030-01-31T12:00:00Z
  --seconds N   end of the lease in machine seconds from now
NODES is 1 if left out. A new USER gets one new network; one who has one network gets that."""

_USER = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]*\Z")
"""The original took no - and _."""
_NUMBER = re.compile(r"[0-9]{1,10}\Z")
_MOST = 0xFFFF_FFFF


class CommandLineError(ValueError):
    """A command line that cannot be obeyed."""


class HelpWanted(Exception):  # noqa: N818  It is no error.
    """The command line asks what can be asked."""


@dataclass(frozen=True)
class CommandLine:
    """What ``acquireNodes`` is asked for.

    Parameters
    ----------
    user : str
        Whom the nodes are for.
    count : int
        How many.
    networks : tuple of int
        Private networks that they join.
    new : int, optional
        How many new private networks they join; None leaves it to the rules of the original.
    internal, external : bool
        Whether they join networks 2 and 1.
    credential : str, optional
        Of a new user.
    strict : bool
        Refuse what opens relays.
    until : str, optional
        End on the wall clock, ISO 8601.
    seconds : float, optional
        Length in machine seconds.
    """

    user: str
    count: int = 1
    networks: tuple[int, ...] = ()
    new: int | None = None
    internal: bool = False
    external: bool = False
    credential: str | None = None
    strict: bool = False
    until: str | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, words: Sequence[str]) -> "CommandLine":
        """The command line behind the word ``acquireNodes``.

        Raises
        ------
        CommandLineError
            If it is none; says what would be right.
        HelpWanted
            If it has the option ``-h``.
        """
        try:
            options, rest = getopt.getopt(list(words), "n:p:ixc:h", ["strict", "until=", "seconds="])
        except getopt.GetoptError as error:
            raise CommandLineError(f"{error}; {USAGE.splitlines()[0]}") from None
        given = dict(options)
        if "-h" in given:
            raise HelpWanted
        if not 1 <= len(rest) <= 2:
            raise CommandLineError(f"acquireNodes takes a user and a number of nodes behind its options, not "
                               f"{' '.join(rest) or 'nothing'}")
        user = rest[0]
        if not _USER.match(user):
            raise CommandLineError(f"invalid user {user}: a letter, then letters, digits, - and _")
        return cls(
            user, _number(rest[1], "number of nodes", 1) if len(rest) == 2 else 1,
            networks=tuple(_number(part, "-n: network", 3) for part in given["-n"].split(",")) if "-n" in given else (),
            new=_number(given["-p"], "-p: number of networks", 0) if "-p" in given else None,
            internal="-i" in given, external="-x" in given, credential=given.get("-c"), strict="--strict" in given,
            until=given.get("--until"), seconds=_seconds(given["--seconds"]) if "--seconds" in given else None)


def _number(text: str, what: str, least: int) -> int:
    if not _NUMBER.match(text) or not least <= int(text) <= _MOST:
        raise CommandLineError(f"{what} must be a whole number from {least} to {_MOST}, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e12:
        raise CommandLineError(f"--seconds must be above 0, not {text!r}")
    return seconds


def location_number(rank: int) -> int:
    """The number of a node's place, which u-boot calls uni, where racks are filled in the order of ranks.

    Mixed radix: rack column, rack row (16), midplane (2), node card (16), card (34). Cards 0 and 1 of a node card are
    I/O nodes; its 32 compute nodes follow.
    """
    card, slot = rank // 32, 2 + rank % 32
    midplane, node_card = card // 16 % 2, card % 16
    rack = rank // 1024
    return ((rack * 2 + midplane) * 16 + node_card) * 34 + slot


def address(location: int) -> str:
    """The IP address that boot scripts give the first interface of the node at a place, from 172.16.0.1 on.

    The original's site had such a range, too, and indexed it by the number of the place.
    """
    return f"172.{16 + location // (254 * 256) % 16}.{location // 254 % 256}.{1 + location % 254}"


@dataclass(frozen=True)
class NodeInfo:
    """What a node says about itself.

    Parameters
    ----------
    rank : int
    location : int
        See :func:`location_number`.
    address : str, optional
        Of its first interface.
    """

    rank: int
    location: int
    address: str | None = None

    @classmethod
    def of(cls, rank: int) -> "NodeInfo":
        """Of the node with a rank."""
        location = location_number(rank)
        return cls(rank, location, address(location))


@dataclass(frozen=True)
class Text:
    """What ``acquireNodes`` prints when it has acquired.

    Parameters
    ----------
    console : int
        Number of the console channel.
    host : str
        Where ssh reaches it.
    networks : tuple of int
        Private networks, in the order of their interfaces.
    internal, external : bool
    nodes : tuple of NodeInfo
        In the order in which they are told.
    """

    console: int
    host: str
    networks: tuple[int, ...]
    internal: bool
    external: bool
    nodes: tuple[NodeInfo, ...]

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterable[str]:
        yield f"con{self.console}@{self.host}"
        yield "protocol: uboot"
        for interface, name in enumerate(self._names()):
            yield f"network {name} : eth{interface}"
        for node in self.nodes:
            yield " ".join(str(part) for part in ("nodeinfo:", node.rank, node.location, node.address)
                           if part is not None)
        yield " ".join(("nodes:", *(str(node.rank) for node in self.nodes)))

    def _names(self) -> Iterable[str]:
        """Networks by interface: external first, then internal, then private ones."""
        if self.external:
            yield "External"
        if self.internal:
            yield "Internal"
        yield from map(str, self.networks)
