"""Data flows one way: who may import whom, checked from the sources."""

import ast
import functools
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LAYERS = (
    "rtl", "khhw._version", "khhw.errors", "khhw.patterns", "khhw.estimate", "khhw.statistics", "khhw.visible",
    "khhw.files", "khhw.tracebacks", "khhw.debugger", "khhw.host", "khhw.node", "khhw.net", "khhw.kernels",
    "khhw.control", "khhw.build", "khhw.export", "khhw.sim", "khhw.machine", "khhw.gateway", "khhw.linux", "khhw.cloud",
    "khhw.trace", "khhw.traffic", "khhw.sweep", "khhw.mutants", "khhw.fuzz", "khhw.report", "khhw.coverage",
    "khhw.bench", "khhw.templates", "khhw.commands", "khhw.cli", "khhw.__main__",
)
"""A module imports from its own layer and from those before it. The package khhw itself holds the version only."""

HOST_CODE = ("khhw.host", "khhw.node", "khhw.net", "khhw.kernels", "khhw.control")
"""What runs against any hardware: it knows neither what simulates nor what builds simulators."""
SIMULATION = ("khhw.sim", "khhw.build")

DEFINITIONS = (
    "rtl.codec", "rtl.formats", "rtl.meter_lines", "rtl.register_type", "rtl.registers", "rtl.parameters")
SIMULATOR_ONLY = ("cocotb", "asyncio")


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def layer(name: str) -> int | None:
    return next((number for number, package in enumerate(LAYERS) if within(name, package)), None)


def modules(*folders: str) -> Iterator[tuple[str, str]]:
    """Name and text of every module below some folders."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = file.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file.read_text()


@functools.cache
def parsed(text: str) -> ast.Module:
    """The tree of a source; many rules look at the same ones."""
    return ast.parse(text)


def imports(name: str, text: str) -> Iterator[str]:
    """Full names of what a module imports, inside functions too."""
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} imports relatively, line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def upward(name: str, text: str) -> list[str]:
    """What a module of a layer imports from later ones."""
    own = layer(name)
    return [f"{name} imports {other}" for other in imports(name, text)
            if own is not None and (layer(other) or 0) > own]


def forbidden(name: str, text: str, packages: tuple[str, ...]) -> list[str]:
    return [f"{name} imports {other}" for other in imports(name, text) if any(within(other, p) for p in packages)]


def circles(sources: Mapping[str, str]) -> list[str]:
    """Circles of imports among modules, the shortest through each of their modules' names first in the alphabet."""
    graph = {name: sorted({target for other in imports(name, text) if (target := module_of(other, sources)) != name}
                          - {None}) for name, text in sources.items()}
    found, known = [], set[str]()
    for start in sorted(graph):
        way = None if start in known else shortest_way_back(start, graph)
        if way is not None:
            known.update(way)
            found.append(" -> ".join(way))
    return found


def module_of(name: str, sources: Mapping[str, str]) -> str | None:
    """The module that is imported: of a name in it, the module itself."""
    return name if name in sources else name.rpartition(".")[0] if name.rpartition(".")[0] in sources else None


def shortest_way_back(start: str, graph: Mapping[str, list[str]]) -> list[str] | None:
    """Modules from `start` to itself along imports."""
    ways = deque([[start]])
    seen = set[str]()
    while ways:
        way = ways.popleft()
        for other in graph[way[-1]]:
            if other == start:
                return [*way, start]
            if other not in seen:
                seen.add(other)
                ways.append([*way, other])
    return None


def test_no_circles():
    assert circles(dict(modules("rtl", "khhw", "formal", "testbenches"))) == []


def test_host_code_runs_against_any_hardware():
    assert [fault for package in HOST_CODE for name, text in modules(package.replace(".", "/"))
            for fault in forbidden(name, text, SIMULATION)] == []


def test_nothing_imports_upwards():
    assert [fault for name, text in modules("rtl", "khhw") for fault in upward(name, text)] == []


def test_every_module_has_a_layer():
    assert [name for name, _ in modules("rtl", "khhw") if layer(name) is None] == ["khhw"]


def test_definitions_import_only_definitions():
    faults = [f"{name} imports {other}" for name, text in modules("rtl") if name in DEFINITIONS
              for other in imports(name, text)
              if within(other, "rtl") and not any(within(other, allowed) for allowed in DEFINITIONS)]
    assert faults == []


def test_hardware_knows_no_simulator():
    assert [f for name, text in modules("rtl") for f in forbidden(name, text, (*SIMULATOR_ONLY, "khhw"))] == []


def test_kernels_know_only_their_node():
    for name, text in modules("khhw/kernels"):
        assert forbidden(name, text, SIMULATOR_ONLY) == []
        own = [other for other in imports(name, text) if within(other, "khhw")]
        assert [o for o in own if not any(within(o, p) for p in ("khhw.kernels", "khhw.node", "khhw.net"))] == [], name


def test_testbenches_run_without_khhw():
    assert [f for name, text in modules("testbenches") for f in forbidden(name, text, ("khhw",))] == []


class TestTheRules:
    """A rule that finds nothing must be able to find something."""

    def test_upward_import(self):
        fault = "khhw.node.ring imports khhw.control.owner"
        assert upward("khhw.node.ring", "from khhw.control import owner") == [fault]
        assert upward("rtl.node", "def f():\n    import khhw.build") == ["rtl.node imports khhw.build"]

    def test_downward_import(self):
        assert upward("khhw.control.owner", "from khhw.node import ring\nimport rtl.formats") == []

    def test_circle(self):
        sources = {"a": "from p import b", "p.b": "def f():\n    import c", "c": "import p.b", "p": "", "d": "import a"}
        assert circles(sources) == ["c -> p.b -> c"]
        assert circles({"p.a": "from p.b import f", "p.b": "from p.a import g"}) == ["p.a -> p.b -> p.a"]
        assert circles({"a": "import b", "b": "import d"}) == []

    def test_forbidden_import(self):
        assert forbidden("khhw.kernels.probe", "import asyncio.queues", SIMULATOR_ONLY)
        assert not forbidden("khhw.kernels.probe", "import asynciolike", SIMULATOR_ONLY)
