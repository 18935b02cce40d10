"""A run on the native engine: ``python -m khhw.sim.engine.main`` in a process of its own.

Besides what :mod:`khhw.sim.entry` reads, ``KHHW_ENGINE`` is a JSON object with what
:class:`~khhw.build.engine.EngineBuild` takes, the `shape` of the torus, and the seed of what has no initial value as
`random`. `waves`, if there are to be any, has the `ranks` of nodes, the `first` cycle and the `end` behind the last.
"""

import contextlib
import json
import os
from pathlib import Path

from khhw.build.engine import EngineBuild
from khhw.sim.engine.bridge import drive
from khhw.sim.engine.engine import Engine
from khhw.sim.entry import requested_work

__all__ = ["main"]


def main() -> None:
    """Run what the environment asks for."""
    asked = json.loads(os.environ["KHHW_ENGINE"])
    x, y, z = asked["shape"]
    build = EngineBuild(
        folder=Path(asked["folder"]), memory_bytes=asked["memory_bytes"], evaluator=asked["evaluator"],
        waves=asked["waves_file"])
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(requested_work())
        engine = stack.enter_context(Engine(build, (x, y, z), random=asked["random"]))
        if build.waves:
            stack.enter_context(engine.waves(Path(build.waves), **asked["waves"]))
        work.finish(drive(engine, work.host, work.options, progress=work.progress, stuck=work.program.stuck))


if __name__ == "__main__":
    main()
