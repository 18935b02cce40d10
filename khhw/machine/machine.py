"""Running a machine: build it, start its simulator process, collect its results."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from khhw._version import __version__
from khhw.build.cache import build_root, claim_folder, digest
from khhw.build.engine import build_engine
from khhw.build.progress import OnBegin
from khhw.build.provenance import provenance
from khhw.build.simulator import Simulation
from khhw.errors import RequestError
from khhw.files import writable_folder
from khhw.kernels.image import build_image, module_files
from khhw.machine.design import design_of, search_path
from khhw.machine.file import MachineFile
from khhw.machine.lookup import find_kernel
from khhw.machine.reading import load
from khhw.machine.results import Results, RunRecord, State
from khhw.machine.viewers import write_viewer_files
from khhw.machine.waves import WAVES_NAMES, WavesChoice
from khhw.node import Shape
from khhw.sim.engine.process import NativeMachine
from khhw.sim.options import Options
from khhw.sim.process import ProcessResult, Request, Simulator, run

__all__ = ["ENGINES", "Build", "Command", "EngineName", "Machine", "OnReport"]

Build = Literal["fast", "debug"]
EngineName = Literal["cocotb", "native"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
Command = Literal["run", "memcached", "meter"]
_ENTRIES: dict[Command, str] = {"meter": "khhw.machine.metered:program"}
"""What the simulator process runs for some commands, and not for all others."""
OnReport = Callable[[dict[str, Any]], None]
"""Called with what happens, as it happens: dicts with a ``kind``, in the order of the run.

``converting``, ``building`` (folder, build, size: a :class:`~khhw.build.progress.Begun`) unless it is built already,
``built`` (folder), ``progress`` (cycles, wall_seconds), ``console`` (cycle, node, text) and ``phase`` (name, index,
phases, cycle), ``measured`` (phase, what, record), ``waves`` (waves, viewers, what is in them) and ``no_waves`` (why).
``debugger`` (stopped), in another thread: code of the run stops in Python's debugger, which takes the terminal, or goes
on.
"""

_STATES: dict[str, State] = {"finished": "done", "stuck": "deadlocked", "quiet": "deadlocked",
                             "budget": "out_of_cycles", "interrupted": "interrupted"}


@dataclass(frozen=True)
class Machine:
    """A machine that can be run.

    Parameters
    ----------
    file : MachineFile
        What it is.
    folder : Path
        Where its machine file stands; kernels and parts are looked for there.
    engine : str
        What simulates it: ``cocotb``, or ``native``, which does the same for many more nodes (``docs/engine.md``).
    """

    file: MachineFile
    folder: Path = field(default_factory=Path.cwd)
    engine: EngineName = "cocotb"

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise RequestError(f"no engine {self.engine!r}; there are {', '.join(ENGINES)}")

    @classmethod
    def load(
        cls, path: Path | str, *, parts: Mapping[str, str] | None = None, engine: EngineName = "cocotb",
    ) -> "Machine":
        """The machine of a machine file.

        Parameters
        ----------
        path : Path or str
            The file.
        parts : mapping of str to str, optional
            Replacements of parts, ``{"router": "module:Class"}``; they win over the file's.
        engine : str
            ``cocotb`` or ``native``.

        Raises
        ------
        MachineFileError
            With file, line and remedy, if it cannot be run.
        """
        return cls(load(path, parts=parts), Path(path).parent, engine)

    def build(
        self, *, build: Build = "fast", waves: bool | WavesChoice = False, on_report: OnReport | None = None,
    ) -> Simulator:
        """Convert and compile the RTL, or find it built.

        Parameters
        ----------
        build : str
            ``fast``, or ``debug`` with assertions.
        waves : bool or WavesChoice
            Able to write waves.
        on_report : callable, optional
            Told of the first of what :data:`OnReport` says, up to ``built``.

        Raises
        ------
        RequestError
            If a tool is missing; names the command that installs it. If the engine does not write such waves.
        BuildError
            If a tool fails; holds the end of its output.
        """
        tell = on_report or (lambda _: None)
        tell({"kind": "converting"})
        simulator = self._build(build, WavesChoice() if waves is True else waves or None, lambda begun: tell(
            {"kind": "building", "folder": str(begun.folder), "build": begun.kind, "size": begun.size}))
        tell({"kind": "built", "folder": str(simulator.folder)})
        return simulator

    def _build(self, build: Build, choice: WavesChoice | None, on_begin: OnBegin) -> Simulator:
        if self.engine == "native":
            wanted = None if choice is None else choice.wanted(self.file.nodes, self.file.host.max_cycles)
            compiled = build_engine(
                self.file.node.as_dict(), self.file.parts, variant=build, path=search_path(self.file, self.folder),
                waves=wanted is not None, on_begin=on_begin)
            return NativeMachine(compiled, self.file.torus.shape, random=build == "debug", waves=wanted)
        if choice is not None and not choice.is_plain:
            raise RequestError("cocotb writes waves of all nodes and cycles: --waves-nodes and --window need "
                               "--engine native")
        simulation = Simulation(design=design_of(self.file, self.folder), variant=build, waves=choice is not None)
        return simulation.build(on_begin)

    def run(
        self, folder: Path | str | None = None, *, seed: int | None = None, build: Build = "fast",
        waves: bool | WavesChoice = False, on_report: OnReport | None = None, command: Command = "run",
    ) -> Results:
        """Run all phases and collect what was seen.

        Parameters
        ----------
        folder : Path or str, optional
            Where ``results.json``, the simulator's log and waves are written; without one, below the build folder.
        seed : int, optional
            Instead of the machine file's.
        build : str
            ``fast``, or ``debug`` with assertions.
        waves : bool or WavesChoice
            Write waves; needs a build of its own. The native engine takes a choice of nodes and cycles.
        on_report : callable, optional
            Told what happens, see :data:`OnReport`.
        command : str
            Subcommand of khhw this is run for; kept in the results.

        Returns
        -------
        Results
            Also when the run failed or was stopped: look at ``state``.
        """
        # Two machines of one name in different folders are two machines.
        own = f"{self.file.name.replace(' ', '-')}-{digest(str(self.folder.resolve()))[:8]}"
        if folder is None:
            # Nobody clears it away while the machine runs, and two runs at a time have a folder each.
            with claim_folder(build_root() / "runs", own) as claimed:
                return self.run(claimed, seed=seed, build=build, waves=waves, on_report=on_report, command=command)
        out = writable_folder(Path(folder))
        tell = on_report or (lambda _: None)
        simulator = self.build(build=build, waves=waves, on_report=tell)
        chosen = self.file.seed if seed is None else seed
        process = run(simulator, self.request(chosen, command), out, seed=chosen, on_report=tell)
        if process.waves is not None:
            self._tell_of_waves(simulator, process, process.waves, tell)
        results = self._results(process, chosen, build, command)
        results.write(out / "results.json")
        return results

    def _tell_of_waves(self, simulator: Simulator, process: ProcessResult, waves: Path, tell: OnReport) -> None:
        for name in WAVES_NAMES:
            if name != waves.name:
                # Of a run before; it would be taken for this one's.
                waves.with_name(name).unlink(missing_ok=True)
        held, ranks = "", None
        if isinstance(simulator, NativeMachine) and simulator.waves is not None:
            ranks = simulator.waves.ranks
            # A simulator that has crashed does not say where.
            if (cycles := process.outcome.get("cycles")) is not None:
                if why := simulator.waves.missed(cycles):
                    waves.unlink()
                    tell({"kind": "no_waves", "why": why})
                    return
                held = simulator.waves.held(cycles)
        files = write_viewer_files(waves, Shape(*self.file.torus.shape), ranks)
        tell({"kind": "waves", "waves": str(waves), "viewers": [str(file) for file in files], "held": held})

    def kernel_hashes(self) -> dict[str, str]:
        """SHA-256 of the image of each kernel that runs, by its name in the machine file, in hexadecimal."""
        return {name: hashlib.sha256(build_image(kernel)).hexdigest() for name, kernel in self._kernels().items()}

    def _kernels(self) -> dict[str, Path]:
        """What the kernels' names in the machine file stand for."""
        names = {entry.kernel for phase in self.file.phases for entry in phase.kernels}
        return {name: find_kernel(name, self.folder) for name in sorted(names)}

    def request(self, seed: int, command: Command = "run") -> Request:
        """What the simulator process is to do. Kernels travel as images: their files are not looked at again.

        Parameters
        ----------
        seed : int
            Of the run.
        command : str
            As of :meth:`run`.
        """
        kernels = self._kernels()
        images = {name: build_image(kernel).hex() for name, kernel in kernels.items()}
        return Request(
            entry=_ENTRIES.get(command, "khhw.machine.program:program"), nodes=self.file.nodes,
            memory_bytes=self.file.node.memory_bytes,
            arguments={"machine": self.file.model_dump(mode="json"), "images": images, "seed": seed,
                       "folder": str(self.folder.resolve()), "files": module_files(kernels)},
            cpu=self.file.host.cpu, cpu_scale=str(self.file.host.cpu_scale), clock_hz=self.file.host.clock_hz,
            options=Options(max_cycles=self.file.host.max_cycles))

    def _results(self, process: ProcessResult, seed: int, build: Build, command: Command) -> Results:
        state = _STATES.get(process.state, "failed")
        assert state in get_args(State)
        record = process.results.get("record", {})
        failures = process.results.get("failures", [])
        details = [process.message, *failures, *process.outcome.get("waiting", []), *process.outcome.get("stuck", [])]
        return Results(
            version=__version__, provenance=provenance(), name=self.file.name, state=state, command=command, seed=seed,
            message="" if state == "done" else "\n".join(details),
            parameters=self.file.model_dump(mode="json"), build=build, engine=self.engine,
            signature="".join(f"{value:016x}" for value in process.outcome.get("signature", [])),
            cpu_model=self.file.host.cpu, clock_hz=self.file.host.clock_hz, cycles=process.outcome.get("cycles", 0),
            wall_seconds=round(process.outcome.get("wall_seconds", 0.0), 3), results=RunRecord.model_validate(record))
