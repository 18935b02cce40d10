"""A run at whose end the meters of all nodes are read, and what must hold between them is checked."""

from collections.abc import Mapping
from typing import Any

from khhw.control.meter_laws import Law, laws
from khhw.control.meters import Reading, read_at_rest
from khhw.host.ports import Host
from khhw.machine import program as machine_program
from khhw.machine.meter_record import MeterLaw, MeterReading
from khhw.machine.program import MachineProgram
from rtl.meter_lines import MeterLine

__all__ = ["MeteredProgram", "law_record", "program"]

_FIRST_TAG = 1


def program(host: Host, arguments: Mapping[str, Any]) -> MachineProgram:
    """The program of a machine whose meters are read; the entry of a simulator process. See
    :func:`khhw.machine.program.program`."""
    return machine_program.program(host, arguments, MeteredProgram)


class MeteredProgram(MachineProgram):
    """One run, and a snapshot of all meters when no packet moves any more."""

    async def run(self) -> None:
        """Boot, all phases, and the meters."""
        await super().run()
        readings, guards = await read_at_rest(self._owner, _FIRST_TAG)
        self.record.meters = [_record(reading) for reading in readings]
        self.record.laws = [law_record(law) for law in laws(readings, guards)]


def law_record(law: Law) -> MeterLaw:
    """A law, as results keep it."""
    return MeterLaw(name=law.name, left=law.left, right=law.right, holds=law.holds)


def _record(reading: Reading) -> MeterReading:
    return MeterReading(node=reading.rank, tag=reading.tag, cycle=reading.time,
                        counts={line.name: reading.counts[line] for line in MeterLine})
