"""A measurement of one's own: how far apart the latencies of equal messages are."""

from collections import defaultdict

from pydantic import BaseModel

from khhw.kernels.results import latency_samples
from khhw.machine.file import MachineFile, Phase
from khhw.machine.measurements.measurement import Measurement, Observer, kernel_names, own
from khhw.machine.results import Results, RunRecord
from khhw.report.change import Change
from khhw.report.compare.pair import Pair
from khhw.report.estimate import reading
from khhw.report.measurement import MeasurementReport
from khhw.report.picture import Picture

NAME = "jitter:MEASUREMENT"
MOST = 64


class Jitter(BaseModel):
    """What is kept in results.json: by message size in bytes, cycles between the fastest and the slowest."""

    cycles: dict[int, int]


def check(phase: Phase, machine: MachineFile) -> str | None:
    """Before anything is built: what is wrong with a phase that asks for it."""
    return None if "latency" in kernel_names(phase, machine.nodes) else "jitter needs the kernel latency: boot it"


async def measure(observer: Observer) -> Jitter:
    """When the kernels have ended: read the table that the kernel left in its node's memory."""
    found = defaultdict(list)
    for memory in observer.memories:
        for sample in latency_samples(memory, observer.layout):
            found[sample.length].append(sample.cycles)
    return Jitter(cycles={size: max(cycles) - min(cycles) for size, cycles in sorted(found.items())})


def shortcomings(found: Jitter) -> list[str]:
    """What makes the run fail."""
    return [f"Messages of {size} bytes are {cycles} cycles apart." for size, cycles in found.cycles.items()
            if cycles > MOST]


class JitterReport(MeasurementReport):
    """What the terminal, the page and `khhw report A B` say of it."""

    title = "Jitter"

    def measured(self, phase: str, record: RunRecord) -> str:
        return f"jitter of {len(record.own[-1].found['cycles'])} message sizes measured"

    def pictures(self, results: Results) -> list[Picture]:
        # matplotlib: only where reports are written
        from khhw.report.style import MARKERS, figure, quiet, shades, styled

        phases = results.own(NAME, Jitter)
        rows = [(phase, *row) for phase, found in phases.items() for row in found.cycles.items()]
        with styled():
            drawing, (axes,) = figure(5.4, 3.4, 1)
            for (phase, found), marker, colour in zip(phases.items(), MARKERS, shades(len(phases))[::-1], strict=False):
                axes.plot([f"{size:,} bytes" for size in found.cycles], list(found.cycles.values()), label=phase,
                          color=colour, marker=marker, linestyle="none", fillstyle="none")
            axes.set_xlabel("message size")
            axes.set_ylabel("cycles between fastest and slowest")
            axes.legend(frameon=False)
            quiet(axes)
        return [Picture(name="jitter", title="Jitter", caption=f"At most {max(row[2] for row in rows)} cycles.",
                        figure=drawing, columns=("phase", "bytes", "cycles"), rows=rows)]

    def changes(self, pair: Pair) -> list[Change]:
        first, second = pair.first.own(NAME, Jitter), pair.second.own(NAME, Jitter)
        return [Change(where=f"{phase}, {size} bytes", quantity="jitter, cycles", first=reading(cycles),
                       second=reading(second[phase].cycles[size]), better="less", varied=size, group=phase)
                for phase, found in first.items() for size, cycles in found.cycles.items()]


MEASUREMENT = Measurement(check=check, measure=measure, keep=own(shortcomings), report="jitter:JitterReport")
