"""An engine whose nodes lie in lanes: assembly made of the node's Verilog, and a runtime around it."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from khhw.build.design import Design
from khhw.build.lanes.demands import COMPILER_OPTIONS
from khhw.build.lanes.generate import ASSEMBLY, REASON
from khhw.build.lanes.look_ups import NETLIST, look_ups
from khhw.build.recipe import CORE, Recipe, run_logged
from khhw.build.yosys import yosys_version
from khhw.errors import BuildError, RequestError
from rtl.fabric import NODE_MODULE

__all__ = ["LANES", "LanesRecipe"]

LANES = CORE.with_name("lanes")
_SHARED = ("engine.cpp", "engine.h", "host_bus.h", "memory.h", "owner_port.h", "ports.h", "root_cell.h", "signature.h",
           "thread_pool.h")
"""What of the core does not know how nodes are evaluated."""


@dataclass(frozen=True)
class LanesRecipe(Recipe):
    """See the module."""

    @property
    def verilated(self) -> tuple[Design, ...]:
        """Only the owner's port above the tree's root."""
        return (self.root,)

    @property
    def sources(self) -> tuple[Path, ...]:
        """The shared core, and the lanes'."""
        return (*(CORE / name for name in _SHARED), *sorted(LANES.glob("*.[ch]*")))

    @property
    def steps(self) -> tuple[Callable[..., Any] | Path, ...]:
        """All that makes the assembly."""
        others = sorted(file for file in Path(__file__).parent.glob("*.[pv]*") if file != Path(__file__))
        return LanesRecipe.make, LanesRecipe.prepare, *others

    @property
    def options(self) -> tuple[str, ...]:
        """The instructions there are."""
        return COMPILER_OPTIONS

    @property
    def tools(self) -> Mapping[str, str]:
        """Yosys too."""
        return {"yosys": yosys_version("an engine with nodes in lanes")}

    def make(self, folder: Path) -> None:
        """As every recipe does, with Yosys at work beside the compiler."""
        with ThreadPoolExecutor(1) as pool:
            netlist = pool.submit(look_ups, self.cell, NODE_MODULE)
            super().make(folder)
            netlist.result()

    def prepare(self, folder: Path) -> Sequence[str]:
        """Generate and assemble the logic of the node."""
        search = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        netlist = look_ups(self.cell, NODE_MODULE) / NETLIST
        try:
            run_logged([sys.executable, "-m", "khhw.build.lanes.generate", str(netlist), NODE_MODULE, str(folder)],
                       folder, {**os.environ, "PYTHONPATH": search})
        except BuildError as error:
            if (folder / REASON).is_file():
                raise RequestError((folder / REASON).read_text()) from error
            raise
        assembled = folder / "lanes.o"
        run_logged(["g++", "-c", str(folder / ASSEMBLY), "-o", str(assembled)], folder)
        return [str(assembled)]
