"""The results that are kept in ``docs/results``: what each depends on, whether that has changed, what renews it.

Run it in the root of the checkout: ``python -m docs.kept`` names the results that are older than what they depend on,
and writes the table of ``docs/kept.md`` and the notes in the other pages; a test compares. With ``--check`` nothing is
written, and the exit code is 1 if a result has aged. What a result depends on is compared by content, with digests
that the result itself carries (``khhw/build/provenance.py``).
"""

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from khhw.build.provenance import ROOT, Processor, Provenance, source_digest

__all__ = ["KEPT", "PAGE", "RESULTS", "Kept", "changed", "inserted", "note", "pages", "read", "table"]

RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "kept.md"
BEGIN, END = "<!-- table: python -m docs.kept -->\n", "<!-- end of table -->\n"
_NOTE = re.compile(r"<!-- kept: ([\w-]+) -->\n(.*?)<!-- end of kept -->\n", re.DOTALL)

_HOST = ("khhw/host", "khhw/node", "khhw/net", "khhw/kernels", "khhw/control")
_ENGINE = ("rtl", "khhw/build", "khhw/sim")
_COVERAGE = ("rtl", "khhw/build", "khhw/coverage", "testbenches")
_MACHINE = (*_ENGINE, *_HOST, "khhw/machine")


@dataclass(frozen=True)
class Kept:
    """A file of results.

    Parameters
    ----------
    commands : str
        What measures it again and keeps it.
    sources : tuple of str
        Files and folders whose content it depends on.
    given : str
        A TOML file all of whose keys are in its `parameters`, as far as they are the ones measured; none if empty.
    apart : tuple of str
        Keys of that file that the command replaces.
    """

    commands: str
    sources: tuple[str, ...]
    given: str = ""
    apart: tuple[str, ...] = ()


KEPT: Mapping[str, Kept] = {
    "attack": Kept("khhw attack -o docs/results/attack.json", (*_ENGINE, *_HOST, "khhw/fuzz", "khhw/mutants")),
    "attack-6-lanes": Kept("khhw attack --lanes 6 --bug-packets 0 -o docs/results/attack-6-lanes.json",
                           (*_ENGINE, *_HOST, "khhw/fuzz")),
    "bench-cosim": Kept(
        "khhw bench cosim --no-stock --repeat 3 --seconds 1 --json > docs/results/bench-cosim.json",
        (*_MACHINE, "khhw/bench")),
    "bench-engine": Kept("khhw bench engine --repeat 3 --seconds 1.5 --json > docs/results/bench-engine.json",
                         (*_ENGINE, "khhw/traffic", "khhw/bench")),
    "bench-guard": Kept("khhw bench guard --json > docs/results/bench-guard.json",
                        (*_ENGINE, "khhw/export", "khhw/traffic", "khhw/bench")),
    "bench-guard-6-lanes": Kept(
        "khhw bench guard --only latency load --lanes 6 --guards out --json > docs/results/bench-guard-6-lanes.json",
        (*_ENGINE, "khhw/traffic", "khhw/bench")),
    "bench-isolation": Kept("khhw bench isolation --packets 300 --json > docs/results/bench-isolation.json",
                            (*_ENGINE, *_HOST, "khhw/traffic", "khhw/bench")),
    "bench-renting": Kept("khhw bench isolation --nodes 4x4x4 --nodes 8x8x8 --nodes 16x16x16 --rent 8 --rent 64 "
                          "--only-rent --json > docs/results/bench-renting.json",
                          (*_ENGINE, *_HOST, "khhw/traffic", "khhw/bench")),
    "bench-tree": Kept("khhw bench tree --json > docs/results/bench-tree.json", (*_ENGINE, *_HOST, "khhw/bench")),
    "coverage-guard": Kept(
        "khhw test guard guard_account guard_counters guard_refusals guard_registers --seed 1 --coverage -o out/guard "
        "&& cp out/guard/coverage/coverage.json docs/results/coverage-guard.json", _COVERAGE),
    "coverage-ni": Kept("khhw test ni ni_reception ni_bounds ni_host ni_remote --seed 1 --coverage -o out/ni && "
                        "cp out/ni/coverage/coverage.json docs/results/coverage-ni.json", _COVERAGE),
    "engine-equality": Kept("python -m tests.sim.engine.both",
                            (*_ENGINE, *_HOST, "tests/sim/engine/both.py", "tests/rtl/traffic_programs.py")),
    "engine-steps": Kept("python -m benchmarks.engine_steps --rounds 3 --seconds 1 > docs/results/engine-steps.json",
                         (*_ENGINE, "khhw/traffic", "khhw/bench", "benchmarks/engine_steps.py")),
    "memcached-study": Kept(
        "khhw memcached examples/talk.toml --engine native -o out/talk-memcached && "
        "cp out/talk-memcached/results.json docs/results/memcached-study.json",
        _MACHINE, "examples/talk.toml", ("phases",)),
    "moving-node": Kept(
        "python examples/moving_node/moving_node.py -o out/moving_node && "
        "cp out/moving_node/moving_node.json docs/results/moving-node.json",
        (*_MACHINE, "examples/moving_node"), "examples/moving_node/machine.toml"),
    "mutants": Kept("make mutants", ("rtl", "khhw/build", "khhw/mutants", "testbenches")),
    "report-seeds": Kept("python -m tests.report.seeds", (*_MACHINE, "khhw/report", "tests/report/seeds")),
    "sweep-8x8x8": Kept(
        "khhw sweep docs/results/sweep-8x8x8.toml -o out/sweep-8x8x8 && "
        "cp out/sweep-8x8x8/sweep.json docs/results/sweep-8x8x8.json",
        (*_ENGINE, "khhw/traffic", "khhw/sweep"), "docs/results/sweep-8x8x8.toml"),
    "synthesis-guard": Kept(
        "khhw verilog -o out/guard --top guard --synth && "
        "cp out/guard/synthesis.json docs/results/synthesis-guard.json",
        ("rtl", "khhw/build", "khhw/export")),
    "talk": Kept(
        "khhw run examples/talk.toml --engine native -o out/talk && cp out/talk/results.json docs/results/talk.json",
        _MACHINE, "examples/talk.toml"),
    "two-engines": Kept("python -m benchmarks.two_engines --repeat 2 > docs/results/two-engines.json",
                        (*_MACHINE, "benchmarks/two_engines.py")),
}
"""By the name of the file, without ``.json``."""


def read(name: str) -> dict[str, Any]:
    """A kept file."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def changed(kept: Kept, results: Mapping[str, Any], root: Path = ROOT) -> list[str]:
    """What a result depends on and is no longer as it was when it was measured.

    Parameters
    ----------
    kept : Kept
        What it depends on.
    results : mapping
        The file, read.
    root : pathlib.Path
        The source tree.

    Returns
    -------
    list of str
        Files and folders relative to `root`.
    """
    before = Provenance.model_validate(results["provenance"]).sources
    found = [name for name in kept.sources if before.get(name) != source_digest(root / name)]
    if kept.given:
        given = tomllib.loads((root / kept.given).read_text(encoding="utf-8"))
        asked = {key: value for key, value in given.items() if key not in kept.apart}
        if not _is_in(asked, results["parameters"]):
            found.append(kept.given)
    return found


def _is_in(given: Any, filled: Any) -> bool:
    """Whether a value of JSON is another one with some defaults left out."""
    if isinstance(given, dict) and isinstance(filled, dict):
        return all(key in filled and _is_in(value, filled[key]) for key, value in given.items())
    if isinstance(given, list) and isinstance(filled, list):
        return len(given) == len(filled) and all(map(_is_in, given, filled))
    return bool(given == filled)


def table() -> str:
    """A row a kept result."""
    rows = ["| result | command | measured at | day | processor; caches (L1d, L2, L3); cores | "
            "Python, Verilator, g++ | state |", "|---|---|---|---|---|---|---|"]
    for name, kept in KEPT.items():
        results = read(name)
        of = Provenance.model_validate(results["provenance"])
        tools = ", ".join(version or "?" for version in (of.tools.python, of.tools.verilator, of.tools.compiler))
        cells = [f"[{name}](results/{name}.json)", f"`{kept.commands}`", _commit(of), of.date or "unknown",
                 _processor(of.processor), tools if of.tools.python else "unknown",
                 # Which sources they are changes more often than a page should: the command says it.
                 "aged" if changed(kept, results) else "current"]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def note(name: str) -> str:
    """The sentence of a page that shows a kept result."""
    results = read(name)
    of = Provenance.model_validate(results["provenance"])
    state = "sources have changed since" if changed(KEPT[name], results) else "sources are the same now"
    where = of.processor.model or "an unknown processor"
    return f"Measured at {_commit(of)} ({of.date or 'unknown day'}) on {where}; {state} ([kept results](kept.md)).\n"


def _commit(of: Provenance) -> str:
    return f"`{of.commit[:7]}`" + (", modified" if of.modified else "") if of.commit else "unknown commit"


def _processor(of: Processor) -> str:
    if of.model is None:
        return "unknown"
    caches = ", ".join(map(_size, (of.l1d_bytes, of.l2_bytes, of.l3_bytes)))
    return f"{of.model}; {caches}; {of.cores or '?'}"


def _size(size: int | None) -> str:
    if size is None:
        return "?"
    return f"{size >> 20} MiB" if size >= 1 << 20 and size % (1 << 20) == 0 else f"{size >> 10} KiB"


def inserted(text: str) -> str:
    """A page with its notes, and the table, as they should be."""
    text = _NOTE.sub(lambda found: f"<!-- kept: {found[1]} -->\n{note(found[1])}<!-- end of kept -->\n", text)
    before, begin, rest = text.partition(BEGIN)
    return f"{before}{begin}\n{table()}\n{END}{rest.partition(END)[2]}" if begin else text


def pages() -> Iterator[Path]:
    """Pages that something is inserted in."""
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        if BEGIN in text or _NOTE.search(text):
            yield page


def main(arguments: list[str] | None = None) -> int:
    """Name what has aged, and write."""
    parser = argparse.ArgumentParser(prog="python -m docs.kept", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if a result has aged")
    asked = parser.parse_args(arguments)
    aged = {name: paths for name, kept in KEPT.items() if (paths := changed(kept, read(name)))}
    for name, paths in aged.items():
        print(f"{name}: {', '.join(paths)} changed; renew it with\n    {KEPT[name].commands}")
    print(f"{len(aged)} of {len(KEPT)} kept results are older than what they depend on")
    if asked.check:
        return 1 if aged else 0
    for page in pages():
        page.write_text(inserted(page.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
