"""How many clients there can be at a time, by the memory of the nodes and by the files of the process."""

import resource

from khhw.machine.checks import connections_with_room
from khhw.machine.file import MachineFile, Serve

__all__ = ["FilesError", "allow_files", "clients_at_a_time", "connections", "files_needed"]

CLIENTS = 60
"""Clients at a time where a machine file does not say how many."""
_LEAVING = 4
"""Connections beyond those, as some have ended for one side only."""
_MOST_CONNECTIONS = 1024
_OTHER_FILES = 64
"""What a simulator process has open besides sockets."""


class FilesError(OSError):
    """The process may not have as many files open as it needs sockets."""


def clients_at_a_time(serve: Serve, machine: MachineFile) -> int:
    """How many clients are let in: as many as the file says, or as nodes have room for if it does not say."""
    return serve.clients or min(CLIENTS, connections_with_room(machine, CLIENTS))


def connections(clients: int) -> int:
    """Connections that server and gateway are to have for so many clients."""
    return min(clients + _LEAVING, _MOST_CONNECTIONS)


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
