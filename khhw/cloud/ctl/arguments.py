"""The words of ``khhw ctl``: parsers only, so that they cost nothing to import.

Each command names the function that carries it out, as ``module:function`` of :mod:`khhw.cloud.ctl`.
"""

import argparse
from collections.abc import Callable

__all__ = ["add_commands"]

_Adder = Callable[..., argparse.ArgumentParser]


def add_commands(parser: argparse.ArgumentParser, *, files: bool = True) -> None:
    """All commands.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        What they are commands of. Commands have a class of parsers as it has.
    files : bool
        Whether they may name files of the computer they run on; not so where the service obeys them over ssh.
    """
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    add = _adder(commands)
    for some in (_leases, _nodes, _networks, _consoles):
        some(add)
    _principals(add, files)
    _machine(add, files)


def _adder(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> _Adder:
    def add(name: str, act: str | None, text: str, *, words: bool = False) -> argparse.ArgumentParser:
        description = f"{text[:1].upper()}{text[1:]}."
        if words:
            # Nothing is an option here but what a parser of its own takes for one.
            command = commands.add_parser(name, help=text, description=description, add_help=False, prefix_chars="\0")
            command.add_argument("words", nargs="*")
            command.set_defaults(act=act)
            return command
        command = commands.add_parser(name, help=text, description=description)
        if act is not None:
            command.set_defaults(act=act)
            command.add_argument("--json", action="store_true", default=argparse.SUPPRESS,
                                 help="print one JSON object and nothing else")
        return command

    return add


def _group(add: _Adder, name: str, text: str, metavar: str = "ACTION") -> _Adder:
    return _adder(add(name, None, text).add_subparsers(title="actions", metavar=metavar, required=True))


def _end(command: argparse.ArgumentParser, seconds: str) -> None:
    command.add_argument("--seconds", metavar="N", type=float, help=seconds)
    command.add_argument("--until", metavar="TIME", help="deadline on the wall clock, as in 2030-01-31T12:00:00Z")


def _strict(command: argparse.ArgumentParser) -> None:
    command.add_argument("--strict", action="store_true",
                         help="refuse it if nodes could then talk through relays that could not talk before")


def _lease(command: argparse.ArgumentParser) -> None:
    command.add_argument("lease", metavar="LEASE", help="UUID, name, or console of a lease, as in con7")


def _some_nodes(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--nodes", metavar="RANKS", help=f"{text}, as in 0,4-7")


def _leases(add: _Adder) -> None:
    add("acquireNodes", "leases:acquire", "rent nodes, with the words and the answer of the original (-h says more)",
        words=True)
    one = add("sublet", "leases:sublet", "let nodes of a lease on to somebody")
    _lease(one)
    one.add_argument("user", metavar="USER", help="who gets them; somebody not below you must accept")
    one.add_argument("count", metavar="COUNT", type=int, nargs="?", help="how many nodes (1)")
    _some_nodes(one, "these instead of a number")
    one.add_argument("--network", metavar="ID", type=int, action="append", default=[],
                     help="that they join; may be given again")
    one.add_argument("--internal", action="store_true", help="they join the network Internal")
    one.add_argument("--external", action="store_true", help="they join the network External")
    one.add_argument("--name", help="of the new lease")
    _end(one, "machine seconds from now until it ends")
    _strict(one)
    one = add("list", "leases:listing", "list leases")
    one.add_argument("--ended", action="store_true", help="also those that have ended")
    _lease(add("show", "leases:show", "show a lease"))
    one = add("release", "leases:release", "end a lease, and all that is let on of it")
    _lease(one)
    _strict(one)
    one = add("add", "leases:add", "add nodes to a lease")
    _lease(one)
    one.add_argument("count", metavar="COUNT", type=int, nargs="?", help="how many (1)")
    _some_nodes(one, "these instead of a number")
    _strict(one)
    one = add("remove", "leases:remove", "give nodes of a lease back")
    _lease(one)
    one.add_argument("ranks", metavar="RANKS", help="as in 0,4-7")
    _strict(one)
    one = add("transfer", "leases:transfer", "give a lease, cleared, to somebody else")
    _lease(one)
    one.add_argument("user", metavar="USER", help="somebody not below you must accept")
    _strict(one)
    one = add("accept", "leases:accept", "take a lease that was offered")
    _lease(one)
    _strict(one)
    _lease(add("decline", "leases:decline", "do not take a lease that was offered, or take an own offer back"))
    one = add("extend", "leases:extend", "let a lease end later")
    _lease(one)
    _end(one, "machine seconds by which it ends later")
    one = add("rename", "leases:rename", "call a lease something")
    _lease(one)
    one.add_argument("name", metavar="NAME", nargs="?", help="nothing, if left out")
    _lease(add("warm", "leases:warm", "say that it is seen that nodes lost what was in them by a power cut"))
    _lease(add("readings", "readings:readings", "show what a lease has used of its nodes, by their meters"))


def _nodes(add: _Adder) -> None:
    add("nodes", "machine:nodes", "list nodes")
    node = _group(add, "node", "let nobody have a node, or everybody again")
    for name, text in (("quarantine", "let nobody have a node; a lease loses it"),
                       ("restore", "it may be leased again")):
        node(name, f"machine:{name}", text).add_argument("rank", metavar="RANK", type=int)


def _networks(add: _Adder) -> None:
    add("networks", "networks:listing", "list networks")
    network = _group(add, "network", "make, join, share and leave networks")
    network("create", "networks:create", "make a private network").add_argument("name", metavar="NAME", nargs="?")

    def about(name: str, text: str) -> argparse.ArgumentParser:
        one = network(name, f"networks:{name}", text)
        one.add_argument("network", metavar="ID", type=int, help="1 External, 2 Internal, or a private network")
        return one

    about("show", "show a network")
    about("rename", "call a network something").add_argument("name", metavar="NAME", nargs="?")
    about("delete", "delete a network: all nodes leave it")
    one = about("share", "offer a network to somebody, whose nodes may join once he has accepted")
    one.add_argument("--with", dest="guest", metavar="USER", required=True)
    _direction(one, "what his nodes may do at most (both)")
    about("accept", "become the guest of a network")
    one = about("leave", "end a guest's membership: his nodes leave")
    one.add_argument("--guest", metavar="USER", help="whom you send away; left out: yourself")
    one = about("join", "let nodes of a lease join a network, or change their direction")
    _lease(one)
    _some_nodes(one, "some of the lease instead of all")
    _direction(one, "what they may do there (as much as consent gives)")
    _strict(one)
    one = about("part", "let nodes of a lease leave a network")
    _lease(one)
    _some_nodes(one, "some of the lease instead of all")


def _direction(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--direction", choices=("both", "send", "receive"), help=text)


def _consoles(add: _Adder) -> None:
    add("consoles", "consoles:listing", "list console channels")
    console = _group(add, "console", "let others use a console")
    for name, text in (("share", "let somebody listen, or write too"), ("unshare", "no longer")):
        one = console(name, f"consoles:{name}", text)
        one.add_argument("console", metavar="CONSOLE", help="as in con7")
        one.add_argument("--with", dest="guest", metavar="USER", required=True)
        if name == "share":
            one.add_argument("--write", action="store_true", help="he may write")


def _quota(command: argparse.ArgumentParser) -> None:
    for name, text in (("nodes", "nodes"), ("networks", "private networks"), ("leases", "leases"),
                       ("seconds", "machine seconds from now until a lease ends")):
        command.add_argument(f"--{name}", metavar="N", help=f"{text} at most; none: no limit")


def _principals(add: _Adder, files: bool) -> None:
    add("whoami", "principals:whoami", "show who you are")
    one = add("quota", "principals:quota", "show what somebody may hold and holds, or say what he may")
    one.add_argument("user", metavar="USER", nargs="?", help="yourself, if left out")
    _quota(one)
    principal = _group(add, "principal", "make principals below you, and see to them")
    principal("list", "principals:listing", "list principals")

    def about(name: str, text: str) -> argparse.ArgumentParser:
        one = principal(name, f"principals:{name}", text)
        one.add_argument("user", metavar="USER")
        return one

    about("show", "show a principal")
    one = about("create", "make a principal, with a token")
    _quota(one)
    if files:
        one.add_argument("--token-file", dest="secret_file", metavar="FILE",
                         help="file to write the token to (USER.token in this folder)")
    about("delete", "delete somebody who holds nothing")
    about("enable", "let somebody in")
    about("disable", "keep somebody out; his leases stay")
    if files:
        # It is asked for on the terminal, which over ssh would be the service's.
        one = about("credential", "choose the credential by which somebody is known over ssh; it is asked for")
        one.add_argument("--none", action="store_true", help="accept none")
    token = _group(add, "token", "make tokens, and take them back")
    token("list", "principals:tokens", "list tokens").add_argument("user", metavar="USER", nargs="?")
    one = token("create", "principals:create_token", "make a token")
    one.add_argument("user", metavar="USER", nargs="?", help="yourself, if left out")
    one.add_argument("--label", default="", help="what it is for")
    one.add_argument("--expires", metavar="TIME", help="as in 2030-01-31T12:00:00Z")
    if files:
        one.add_argument("--token-file", dest="secret_file", metavar="FILE",
                         help="file to write it to (USER.token in this folder)")
    token("revoke", "principals:revoke", "accept a token no longer").add_argument("token", metavar="ID")


def _machine(add: _Adder, files: bool) -> None:
    add("machine", "machine:machine", "show the machine and its time")
    one = add("intents", "machine:intents", "list changes on their way to the machine")
    one.add_argument("--all", action="store_true", help="the last 100, done or not")
    add("intent", "machine:intent", "show how far a change is").add_argument("id", metavar="ID")
    add("images", "machine:images", "list images that may boot")
    image = _group(add, "image", "let images boot")
    one = image("approve", "machine:approve", "let an image boot")
    one.add_argument("image", metavar="FILE|SHA256" if files else "SHA256")
    one.add_argument("--name", help="in words")
    one.set_defaults(files=files)
    image("withdraw", "machine:withdraw", "let an image boot no more").add_argument("sha256", metavar="SHA256")
    one = add("audit", "machine:audit", "show who did what")
    one.add_argument("--after", metavar="N", type=int, help="entries behind this number (default: the last)")
    one.add_argument("--limit", metavar="N", type=int, default=100, help="entries at most (%(default)s)")
    add("check", "machine:check", "have store and machine compared; changes nothing")
