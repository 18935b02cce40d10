"""A node's Verilog as look-up tables of three inputs, flip-flops and memories, by Yosys."""

import gzip
import shutil
from pathlib import Path

from khhw.build.cache import build_once, build_root, digest, file_digest
from khhw.build.design import Design
from khhw.build.yosys import run_yosys, yosys_version

__all__ = ["NETLIST", "look_ups"]

NETLIST = "netlist.json.gz"
_CARRY = Path(__file__).with_name("carry.v")
_SCRIPT = f"""
hierarchy -top {{top}}
proc -norom
flatten
delete t:$scopeinfo
opt
memory -nomap
opt -share_all
alumacc
techmap -map {_CARRY.name} -map +/techmap.v
opt_expr
opt_merge
dfflegalize -cell $_DFF_P_ 01
simplemap
opt_expr
opt_merge
opt_clean -purge
abc -lut 3 -script +strash;dc2;if,-K,3,-a;mfs2,-a
opt_clean -purge
write_json netlist.json
"""


def look_ups(design: Design, top: str) -> Path:
    """Folder with :data:`NETLIST`, the netlist of module `top` of a design: made, or found made. It takes a minute.

    Raises
    ------
    RequestError
        If Yosys is not installed.
    BuildError
        If Yosys fails.
    """
    facts = {"top": top, "sources": [file_digest(source) for source in design.sources], "script": _SCRIPT,
             "carry": file_digest(_CARRY), "yosys": yosys_version("an engine with nodes in lanes")}
    folder = build_root() / "lanes" / f"{top}-{digest(facts)}"
    return build_once(folder, facts, lambda empty: _run(design, top, empty))


def _run(design: Design, top: str, folder: Path) -> None:
    reads = [f"read_verilog {source.name}" for source in design.sources]
    script = "\n".join(reads) + _SCRIPT.format(top=top)
    (folder / "lanes.ys").write_text(script)
    run_yosys("script lanes.ys", (*design.sources, _CARRY), folder)
    plain = folder / "netlist.json"
    with plain.open("rb") as source, gzip.open(folder / NETLIST, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target)
    plain.unlink()
