"""Testbenches: finding them, and running one.

A testbench is a cocotb test module ``test_<block>.py`` with two constants that are read without importing it:
``DUT = "module:Name"`` and, where there is a choice, ``PARAMETERS = [{...}, ...]``; ``SIMULATORS = ["verilator"]``
keeps it from others. It imports nothing of this package. The variant it runs on is in the environment variable
``KHHW_PARAMETERS``, as JSON.
"""

import ast
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from khhw.build.cache import checkout, digest
from khhw.build.design import convert
from khhw.build.results import RunResult
from khhw.build.simulator import SIMULATORS, Simulation
from khhw.errors import RequestError

__all__ = ["BINS", "Options", "Testbench", "choose_variants", "environment_options", "find_testbenches", "last_packets",
           "read_testbench", "run_testbench", "variant_id"]

BINS = "bins.json"
"""Where a testbench leaves its functional bins, in the folder of the run; see ``testbenches/kit/coverage.py``."""
PACKET_LINE = re.compile(r"\bpacket: .*")
TIME_LIMIT = 600.0


@dataclass(frozen=True, kw_only=True)
class Testbench:
    """A testbench file.

    Parameters
    ----------
    file : pathlib.Path
        The test module.
    dut : str
        ``module:Name`` of what it tests.
    parameters : tuple of dict
        Variants of the DUT; at least one.
    simulators : tuple of str
        What it runs on.
    cases : tuple of str
        Names of its cases, in the order they are in; of those with parameters, what they begin with.
    parametrized : bool
        Some have parameters, which only a run names.
    """

    file: Path
    dut: str
    parameters: tuple[Mapping[str, Any], ...]
    simulators: tuple[str, ...] = SIMULATORS
    cases: tuple[str, ...] = ()
    parametrized: bool = False

    def may_have(self, case: str | None) -> bool:
        """Whether the name of a case may contain this."""
        return case is None or self.parametrized or not self.cases or any(case in name for name in self.cases)

    @property
    def block(self) -> str:
        """Name of what is tested: ``router`` for ``test_router.py``."""
        return self.file.stem.removeprefix("test_")

    @property
    def module(self) -> str:
        """Name to import it by."""
        return ".".join([*self.file.parent.relative_to(self.root).parts, self.file.stem])

    @property
    def root(self) -> Path:
        """Folder its name starts at: the first above it that is no package."""
        folder = self.file.parent
        while (folder / "__init__.py").is_file():
            folder = folder.parent
        return folder

    @property
    def path(self) -> tuple[Path, ...]:
        """Folders to import it and its DUT from."""
        return tuple(dict.fromkeys([self.root, self.file.parent, Path.cwd()]))


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to run a testbench.

    Parameters
    ----------
    case : str, optional
        Only cases whose name contains this.
    seed : int
        Of all random choices.
    waves, stock : bool
        See :class:`khhw.build.simulator.Simulation`.
    simulator, variant : str
        See :class:`khhw.build.simulator.Simulation`.
    strict : bool
        Python warnings in the conversion are errors.
    folder : pathlib.Path, optional
        Where each run gets a folder for its results, log and waves; without one, in the build folder.
    """

    case: str | None = None
    seed: int = 1
    waves: bool = False
    stock: bool = False
    simulator: str = "verilator"
    variant: str = "debug"
    strict: bool = False
    folder: Path | None = None


def environment_options(**others: Any) -> Options:
    """Options that the variables SEED and WAVES ask for, and `others`.

    Raises
    ------
    RequestError
        If SEED is no integer.
    """
    seed = os.environ.get("SEED") or "1"
    if not seed.isdecimal():
        raise RequestError(f"SEED must be a number, not {seed!r}")
    waves = os.environ.get("WAVES", "").lower() in ("1", "true", "yes", "on")
    return Options(seed=int(seed), waves=waves, **others)


def find_testbenches(where: str | None = None) -> list[Testbench]:
    """Testbenches that `where` means.

    Parameters
    ----------
    where : str, optional
        A test module, a folder of them, or the name of a block in the folder ``testbenches`` here or in the
        checkout. None: all in that folder.

    Raises
    ------
    RequestError
        If there are none; says what there is.
    """
    if where and (path := Path(where)).exists():
        files = [path] if path.is_file() else _test_files(path)
        if not files:
            raise RequestError(f"no testbenches (test_*.py) in the folder {where}")
        return [read_testbench(file) for file in files]
    folders = [folder for base in (Path.cwd(), checkout()) if base and (folder := base / "testbenches").is_dir()]
    benches = {file.stem.removeprefix("test_"): file for folder in reversed(folders) for file in _test_files(folder)}
    if where is None and benches:
        return [read_testbench(benches[name]) for name in sorted(benches)]
    if where in benches:
        return [read_testbench(benches[where])]
    known = ", ".join(sorted(benches)) or f"none: there is no folder {Path.cwd() / 'testbenches'}"
    what = f"no testbench {where!r}; blocks" if where else "no testbenches"
    raise RequestError(f"{what}: {known}. A path to a test module or a folder of them also does")


def _test_files(folder: Path) -> list[Path]:
    return sorted(folder.absolute().glob("test_*.py"))


def read_testbench(file: Path) -> Testbench:
    """Read a testbench's constants without running it.

    Raises
    ------
    RequestError
        If it does not parse, has no DUT, or a constant is no plain value.
    """
    file = file.absolute()
    try:
        # From bytes, Python knows a mark in front and a line that names another encoding.
        tree = ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        raise RequestError(f"cannot read the testbench {file}:{error.lineno}: {error.msg}") from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise RequestError(f"cannot read the testbench {file}: {error}") from error
    constants = dict(_constants(tree, file))
    dut, parameters = constants.get("DUT"), constants.get("PARAMETERS", [{}])
    if not isinstance(dut, str) or ":" not in dut:
        raise RequestError(f'{file} needs a line like  DUT = "rtl.torus.router:Router"')
    if not isinstance(parameters, list) or not parameters or not all(isinstance(v, dict) for v in parameters):
        raise RequestError(f"{file}: PARAMETERS must be a list of dicts, e.g. [{{}}, {{'lanes': 1}}]")
    simulators = constants.get("SIMULATORS", list(SIMULATORS))
    if not isinstance(simulators, list) or not simulators or not set(simulators) <= set(SIMULATORS):
        raise RequestError(f"{file}: SIMULATORS must be a list of {' and '.join(SIMULATORS)}, not {simulators!r}")
    decorators = {statement.name: [ast.unparse(decorator) for decorator in statement.decorator_list]
                  for statement in tree.body if isinstance(statement, ast.AsyncFunctionDef)}
    cases = tuple(name for name, words in decorators.items() if any(word.startswith("cocotb.") for word in words))
    parametrized = any(word.startswith("cocotb.parametrize") for words in decorators.values() for word in words)
    return Testbench(file=file, dut=dut, parameters=tuple(parameters), simulators=tuple(simulators), cases=cases,
                     parametrized=parametrized)


def _constants(tree: ast.Module, file: Path) -> Iterator[tuple[str, Any]]:
    for statement in tree.body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets, value = [statement.target], statement.value
        else:
            continue
        for target in targets:
            if isinstance(target, ast.Name) and target.id in ("DUT", "PARAMETERS", "SIMULATORS"):
                try:
                    yield target.id, ast.literal_eval(value)
                except (ValueError, TypeError, RecursionError, MemoryError):
                    raise RequestError(f"{file}:{statement.lineno}: {target.id} must be a plain value: it is read "
                                       "without running the file") from None


def variant_id(values: Mapping[str, Any]) -> str:
    """A plain name for a variant, fit for a file name: ``lanes_1-slots_4``."""
    text = "-".join(f"{name}_{value}" for name, value in values.items())
    return re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_") or "default"


def choose_variants(bench: Testbench, variant: str | None) -> list[Mapping[str, Any]]:
    """The variants of a testbench that have the id `variant`, all if it is None.

    Raises
    ------
    RequestError
        If there is no such variant.
    """
    chosen = [values for values in bench.parameters if variant in (None, variant_id(values))]
    if not chosen:
        known = ", ".join(map(variant_id, bench.parameters))
        raise RequestError(f"{bench.block} has no variant {variant!r}; there are {known}")
    return chosen


def run_testbench(bench: Testbench, values: Mapping[str, Any], options: Options) -> RunResult:
    """Convert, build and run one variant of a testbench's DUT.

    Raises
    ------
    RequestError, BuildError
        As :func:`khhw.build.design.convert` and :meth:`khhw.build.simulator.Simulation.build`.
    """
    if options.simulator not in bench.simulators:
        raise RequestError(f"{bench.block} runs on {', '.join(bench.simulators)} only (SIMULATORS in {bench.file})")
    counted = options.variant == "coverage"
    design = convert(bench.dut, values, path=bench.path, strict=options.strict, traced=counted)
    simulation = Simulation(design=design, variant=options.variant, waves=options.waves,
                            simulator=options.simulator, stock=options.stock)
    words = [bench.block, variant_id(values), options.simulator, "stock" if options.stock else "",
             "waves" if options.waves else "", "coverage" if counted else "", _whose(bench)]
    limit = float(os.environ.get("KHHW_TIME_LIMIT", TIME_LIMIT))
    environment = {"KHHW_PARAMETERS": json.dumps(dict(values)), **({"KHHW_BINS": BINS} if counted else {})}
    label = "-".join(filter(None, words))
    result = simulation.build().run(
        bench.module, case=options.case, seed=options.seed, path=bench.path, label=label,
        folder=None if options.folder is None else options.folder / label, env=environment, time_limit=limit)
    return replace(result, source_locations=design.source_locations)


def _whose(bench: Testbench) -> str:
    """What tells testbenches of one name apart: a hash of where the file is; nothing for those of the checkout."""
    root = checkout()
    own = root is not None and bench.file.parent == root / "testbenches"
    return "" if own else digest(str(bench.file))[:8]


def last_packets(result: RunResult, count: int = 8) -> list[str]:
    """The last things a run said of packets: lines with ``packet:`` in the simulator's log."""
    if not result.log.is_file():
        return []
    lines = result.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return [match[0] for line in lines if (match := PACKET_LINE.search(line))][-count:]
