"""A measurement of one's own: how far apart the latencies of equal messages are."""

from pydantic import BaseModel

from khhw.kernels.results import latency_samples
from khhw.machine.file import MachineFile, Phase
from khhw.machine.measurements.measurement import Measurement, Observer, kernel_names, own
from khhw.machine.results import Results
from khhw.report.change import Change
from khhw.report.compare.pair import Pair
from khhw.report.estimate import reading
from khhw.report.measurement import MeasurementReport
from khhw.report.picture import Picture

NAME = "jitter:MEASUREMENT"


class Jitter(BaseModel):
    """What is kept in results.json: by message size in bytes, cycles between the fastest and the slowest."""

    cycles: dict[int, int]


def check(phase: Phase, machine: MachineFile) -> str | None:
    """Before anything is built: what is wrong with a phase that asks for it."""
    return None if "latency" in kernel_names(phase, machine.nodes) else "jitter needs the kernel latency: boot it"


async def measure(observer: Observer) -> Jitter:
    """When the kernels have ended: read the table that the kernel left in its node's memory."""
    found: dict[int, list[int]] = {}
    for sample in (sample for memory in observer.memories for sample in latency_samples(memory, observer.layout)):
        found.setdefault(sample.length, []).append(sample.cycles)
    return Jitter(cycles={size: max(cycles) - min(cycles) for size, cycles in sorted(found.items())})


class JitterReport(MeasurementReport):
    title = "Jitter"  # heads what the page and `khhw report A B` say of it

    def pictures(self, results: Results) -> list[Picture]:
        from khhw.report.style import figure, quiet, styled  # matplotlib: only where reports are written
        rows = [(name, *row) for name, found in results.own(NAME, Jitter).items() for row in found.cycles.items()]
        with styled():
            drawing, (axes,) = figure(5.4, 3.4, 1, subplot_kw={"xlabel": "cycles"})
            axes.plot([cycles for *_, cycles in rows], [f"{name}, {size:,} bytes" for name, size, _ in rows], "o")
            quiet(axes)
        return [Picture(name="jitter", title="Jitter", caption="Cycles between the fastest and the slowest.",
                        figure=drawing, columns=("phase", "bytes", "cycles"), rows=rows)]

    def changes(self, pair: Pair) -> list[Change]:
        first, second = pair.first.own(NAME, Jitter), pair.second.own(NAME, Jitter)
        return [Change(where=f"{name}, {size} bytes", quantity="jitter, cycles", first=reading(cycles),
                       second=reading(second[name].cycles[size]), better="less", place=size, group=name)
                for name, found in first.items() for size, cycles in found.cycles.items()]


MEASUREMENT = Measurement(
    check=check, measure=measure, report="jitter:JitterReport",
    # What makes the run fail.
    keep=own(lambda found: [f"{size} bytes: {n} cycles apart" for size, n in found.cycles.items() if n > 64]))
