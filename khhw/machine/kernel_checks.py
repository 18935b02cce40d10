"""What is wrong with a kernel that a machine file boots, and with its arguments."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from khhw.kernels.image import ImageError, build_image
from khhw.machine.file import MachineFile
from khhw.machine.lookup import find_kernel
from khhw.machine.repair import Faults
from khhw.node import Layout
from khhw.node.commands import LineError, boot_command, written
from khhw.tracebacks import with_traceback
from rtl.parameters import Parameters

__all__ = ["SEED", "known_nodes", "unknown_domains", "wrong_arguments", "wrong_kernel"]

SEED = ("seed", )
"""What is put into arguments when a kernel boots."""
_PLACEHOLDER = re.compile(r"\{[a-z_]+\}")
_LONGEST_NUMBER = str((1 << 64) - 1)


def known_nodes(machine: MachineFile, faults: Faults) -> int | None:
    """Number of nodes; None if the file does not say it."""
    return None if faults.touch("torus", "shape") else machine.nodes


def unknown_domains(name: str, machine: MachineFile, faults: Faults) -> str | None:
    """Why there are no domains of a name."""
    if name in machine.domains or faults.unknown("domains", name):
        return None
    known = ", ".join(sorted(machine.domains)) or "none; add a [domains.NAME] table"
    return f"unknown domains {name!r}; known are {known}"


def wrong_kernel(kernel: str, machine: MachineFile, folder: Path, faults: Faults) -> str | None:
    """An image that cannot be made, or that memory has no room for."""
    try:
        image = build_image(find_kernel(kernel, folder))
    except (LookupError, ImageError) as error:
        return with_traceback(str(error), error)
    if faults.unknown("node", "memory_bytes"):
        return None
    room = machine.node.memory_bytes - Layout(machine.node.memory_bytes).image.base
    if len(image) > room:
        return f"the image of {kernel!r} has {len(image):,} bytes; node.memory_bytes leaves {room:,} for it"
    return None


def wrong_arguments(
    arguments: str, ranks: Sequence[int] | None, machine: MachineFile, faults: Faults, numbers: Iterable[str] = SEED,
) -> str | None:
    """Arguments that the line which boots a kernel cannot carry, whatever is put in for ``{seed}`` and the like.

    Parameters
    ----------
    arguments : str
    ranks : sequence of int or None
        That boot it; None if they are not known.
    machine : MachineFile
    faults : Faults
    numbers : iterable of str
        What may stand in braces.
    """
    for name in numbers:
        arguments = arguments.replace(f"{{{name}}}", _LONGEST_NUMBER)
    if unknown := _PLACEHOLDER.search(arguments):
        known = ", ".join(f"{{{name}}}" for name in numbers)
        return f"{unknown[0]} stands for nothing; what is put into arguments here: {known}"
    node = Parameters() if faults.unknown("node", "memory_bytes") else machine.node
    everybody = ranks is None or len(set(ranks)) == machine.nodes
    try:
        written(boot_command(Layout(node.memory_bytes).image.base, arguments), None if everybody else ranks)
    except LineError as error:
        return f"arguments are a part of the line that boots a kernel: {error}"
    return None
