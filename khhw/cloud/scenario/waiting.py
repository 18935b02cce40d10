"""A machine that waits between calls, and remembers what was made of it."""

from pathlib import Path

from khhw.cloud.client import SimulatedMachine
from khhw.cloud.machine import Applied, Revision
from khhw.control.domains import Domains
from khhw.machine.machine import Machine, OnReport

__all__ = ["WaitingMachine"]


class WaitingMachine(SimulatedMachine):
    """The machine of a scenario: its time passes only while a call of it is under way.

    Parameters
    ----------
    state, machine, on_report
        As of :class:`~khhw.cloud.client.SimulatedMachine`.

    Attributes
    ----------
    applied : list of (Revision, Applied)
        What it was told, in order, and what came of it.
    """

    def __init__(self, state: Path, machine: Machine, on_report: OnReport | None) -> None:
        super().__init__(state, machine, on_report=on_report, waits=True)
        self.applied: list[tuple[Revision, Applied]] = []

    def apply(self, revision: Revision) -> Applied:
        """As its base has it."""
        done = super().apply(revision)
        self.applied.append((revision, done))
        return done

    @property
    def domains(self) -> Domains:
        """What it was told last of who may send to whom."""
        return self.applied[-1][0].domains(self.info.nodes) if self.applied else Domains.nothing(self.info.nodes)
