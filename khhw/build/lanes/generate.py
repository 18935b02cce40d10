"""Write what is compiled of a node in lanes: ``python -m khhw.build.lanes.generate NETLIST TOP FOLDER``.

A process of its own, as compilers are: it takes its time and its memory.
"""

import sys
from pathlib import Path

from khhw.build.lanes.assembly import write_assembly
from khhw.build.lanes.netlist import read_netlist
from khhw.build.lanes.schedule import make_schedule
from khhw.build.lanes.simplify import select_ports, simplify
from khhw.build.lanes.tables import OUTPUTS, TIED, VISIBLE, write_tables

__all__ = ["ASSEMBLY", "TABLES", "generate"]

ASSEMBLY = "lanes.s"
TABLES = "tables.h"


def generate(netlist_file: Path, top: str, folder: Path) -> None:
    """Write :data:`ASSEMBLY` and :data:`TABLES`.

    Raises
    ------
    RequestError
        If the node has something that cannot be put into lanes.
    """
    netlist = read_netlist(netlist_file, top)
    select_ports(netlist, OUTPUTS, TIED)
    simplify(netlist)
    schedule = make_schedule(netlist, VISIBLE)
    slots = write_assembly(netlist, schedule, folder / ASSEMBLY)
    write_tables(netlist, schedule, slots, folder / TABLES)


if __name__ == "__main__":
    generate(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
