"""The first process of a machine's namespaces: ``python -m khhw.linux.init``, started by :mod:`khhw.linux.namespaces`.

It is told on its standard input, in one line of JSON, what nodes there are (:class:`khhw.linux.plan.Plan`), makes
a network and a host name for each, and says so in one line. Who connects to its socket then gets the TAP interfaces.
When its input ends it ends, and with it every process in its namespaces.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from khhw.linux.kernel import open_tap, own_network

__all__ = ["main"]

_MOST_DESCRIPTORS = 200
"""Of a message; Linux takes 253."""
_RETRANSMISSION = "1s"
"""Least time-out of TCP: the machine runs slower than the wall's clock."""


def main() -> int:
    """Set up, hand over, and wait for the end."""
    asked = json.loads(sys.stdin.readline())
    taps: list[tuple[dict[str, Any], int]] = []
    try:
        namespaces = [_node(node, taps) for node in asked["nodes"]]
        _mount_hosts(asked["hosts"])
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(asked["socket"])
        listener.listen(1)
    except (OSError, subprocess.CalledProcessError) as error:
        print(json.dumps({"error": _words(error)}), flush=True)
        return 1
    # Programs whose parents have ended are this process's children.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print(json.dumps({"namespaces": namespaces}), flush=True)
    _hand_over(listener, taps)
    while sys.stdin.read(1):
        pass
    return 0


def _words(error: OSError | subprocess.CalledProcessError) -> str:
    said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else ""
    return said or str(error)


def _node(node: dict[str, Any], taps: list[tuple[dict[str, Any], int]]) -> dict[str, int]:
    """A node's network with its interfaces; descriptors of its namespaces."""
    own_network()
    socket.sethostname(node["host"])
    commands = ["link set dev lo up"]
    for interface in node["interfaces"]:
        name, mtu = interface["name"], interface["mtu"]
        taps.append(({"rank": node["rank"], "network": interface["network"]}, open_tap(name)))
        commands += [
            f"link set dev {name} address {interface['mac']} mtu {mtu} addrgenmode none",
            f"link set dev {name} up",
            f"address add {interface['address']} dev {name} noprefixroute",
            f"route add {interface['subnet']} dev {name} src {interface['address'].partition('/')[0]} "
            f"rto_min {_RETRANSMISSION}",
        ]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, encoding="utf-8",
                   check=True, capture_output=True)
    return {kind: os.open(f"/proc/self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("net", "uts")}


def _mount_hosts(file: str) -> None:
    """The names of all nodes, in place of the system's /etc/hosts."""
    if Path("/etc/hosts").exists():
        subprocess.run(["mount", "--bind", file, "/etc/hosts"], check=True, capture_output=True, text=True,
                       encoding="utf-8")


def _hand_over(listener: socket.socket, taps: list[tuple[dict[str, Any], int]]) -> None:
    """Give all interfaces to the first who connects, and keep none: they are gone when that process is."""
    connection, _ = listener.accept()
    listener.close()
    with connection:
        for at in range(0, len(taps), _MOST_DESCRIPTORS):
            some = taps[at:at + _MOST_DESCRIPTORS]
            message = json.dumps([what for what, _ in some]).encode() + b"\n"
            socket.send_fds(connection, [message], [descriptor for _, descriptor in some])
            connection.recv(1)
    for _, descriptor in taps:
        os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
