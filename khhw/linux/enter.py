"""Running a program on a node: in the namespaces of that node, in place of this process."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from khhw.errors import RequestError
from khhw.linux.directory import INSIDE, RunningMachine

__all__ = ["enter"]

_PACKAGES = {"iperf3": "iperf3", "ping": "iputils-ping", "curl": "curl", "redis-server": "redis-server",
             "redis-cli": "redis-tools", "memcached": "memcached", "mpirun": "openmpi-bin", "tcpdump": "tcpdump",
             "ip": "iproute2", "nc": "netcat-openbsd"}
"""Debian packages of what is often run."""


def enter(machine: RunningMachine, rank: int, command: Sequence[str]) -> NoReturn:
    """Become a program of a node.

    It has the files of the computer; host name, network and processes are the machine's. When the machine ends it is
    killed.

    Parameters
    ----------
    machine : RunningMachine
    rank : int
    command : sequence of str
        Program and arguments.

    Raises
    ------
    RequestError
        If Linux does not run beside that node, or there is no such program.
    """
    namespaces = machine.namespaces.get(str(rank))
    if namespaces is None:
        ranks = ", ".join(machine.namespaces)
        raise RequestError(f"node {rank} of {machine.name} is in no network; those with Linux are {ranks}")
    program = command[0]
    if shutil.which(program) is None:
        package = _PACKAGES.get(Path(program).name)
        raise RequestError(f"no program {program}" + (f"; run `sudo apt install {package}`" if package else ""))
    # From a node of the machine its processes are seen by their numbers there, and the first one is 1.
    inside = INSIDE in os.environ
    init = 1 if inside else machine.init
    outer = [] if inside else ["--mount", "--pid", *([] if os.geteuid() == 0 else ["--user"])]
    spaces = [f"--{kind}=/proc/{init}/fd/{descriptor}" for kind, descriptor in namespaces.items()]
    arguments = ["nsenter", f"--target={init}", *outer, *spaces, f"--wd={os.getcwd()}", "--", *command]
    os.environ[INSIDE] = machine.folder
    os.execvp("nsenter", arguments)
