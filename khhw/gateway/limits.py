"""How many clients there can be at a time, by the memory of the nodes and by the files of the process."""

import resource
from dataclasses import dataclass

from khhw.machine.file import MachineFile, Serve
from khhw.net.areas import Areas
from khhw.node import Layout

__all__ = ["FilesError", "Room", "allow_files", "files_needed"]

CLIENTS = 60
"""Clients at a time where a machine file does not say how many."""
_LEAVING = 4
"""Streams beyond those, as some have ended for one side only."""
_OTHER_FILES = 64
"""What a simulator process has open besides sockets."""


class FilesError(OSError):
    """The process may not have as many files open as it needs sockets."""


@dataclass(frozen=True)
class Room:
    """What there is room for.

    Parameters
    ----------
    clients : int
        At a time.
    connections : int
        Streams that the gateway and the server can have.
    """

    clients: int
    connections: int

    @classmethod
    def of(cls, serve: Serve, machine: MachineFile) -> "Room":
        """Room for as many clients as the file says; if it does not, for 60, or fewer if the memory is small."""
        layout = Layout(machine.node.memory_bytes)
        if serve.clients is not None:
            return cls(serve.clients, min(serve.clients + _LEAVING, Areas.most_connections(layout)))
        wanted = CLIENTS + _LEAVING
        return cls(min(CLIENTS, len(Areas.plan(layout, machine.node.counters, wanted).buffers)), wanted)


def files_needed(clients: int, nodes: int) -> int:
    """Files for so many clients, with a console for each node and one for all, and somebody at each."""
    return 1 + clients + 2 * (nodes + 1) + _OTHER_FILES


def allow_files(count: int) -> None:
    """Let this process, and those it starts, have so many files open.

    Raises
    ------
    FilesError
        If the system does not allow that many.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or count <= soft:
        return
    if hard != resource.RLIM_INFINITY and count > hard:
        raise FilesError(
            f"so many clients and consoles need {count} open files, and this process may have {hard}: let in fewer "
            f"clients ([serve] clients), or have an administrator raise the limit (ulimit -n {count})")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
