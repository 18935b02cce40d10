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
from khhw.errors import RequestError

__all__ = ["ASSEMBLY", "REASON", "TABLES", "generate", "main"]

ASSEMBLY = "lanes.s"
TABLES = "tables.h"
REASON = "refused.txt"
"""Why a node cannot be put into lanes; there only if it cannot."""
REFUSED = 3


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


def main() -> int:
    """Generate what the arguments ask for; :data:`REFUSED` if the node cannot be put into lanes."""
    try:
        generate(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    except RequestError as error:
        (Path(sys.argv[3]) / REASON).write_text(str(error))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
