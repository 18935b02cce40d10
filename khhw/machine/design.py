"""The fabric a machine file describes, as something that can be converted and simulated."""

from pathlib import Path

from khhw.build.design import Design, convert
from khhw.machine.file import MachineFile

__all__ = ["design_of", "search_path"]


def design_of(machine: MachineFile, folder: Path) -> Design:
    """Verilog of a machine, converted or found converted.

    Parameters
    ----------
    machine : MachineFile
        Checked.
    folder : Path
        Of its file; modules of parts are also looked for there and one level up.
    """
    values = {**machine.node.as_dict(), "shape": list(machine.torus.shape), "signatures": True,
              "parts": dict(machine.parts)}
    return convert("rtl.fabric:Fabric", values, path=search_path(machine, folder))


def search_path(machine: MachineFile, folder: Path) -> list[Path]:
    """Folders that modules of parts are looked for in."""
    here = folder.resolve()
    # Where nothing is looked for in the folder, machines in all folders share one conversion.
    own = [here, here.parent] if machine.parts else []
    return [Path(__file__).parents[2], *own]
