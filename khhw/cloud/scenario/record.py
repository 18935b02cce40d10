"""What came of a scenario that was played: plain values, the same whenever it is played again."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from khhw.machine.results import ConsoleLine, Matrix

__all__ = ["Change", "Happened", "Held", "Record"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Happened(_Model):
    """An event that was played, or an end of a lease whose time was over."""

    cycle: int
    """When it was asked for."""
    finished: int
    """When all of it was done: the machine held it, nodes had answered."""
    who: str | None
    """Principal; null of a probe, and of what the service does by itself."""
    operation: str | None
    """Key of the event; null of what the service does by itself."""
    words: str
    """What was done."""
    refused: str | None = None
    """Why it was refused, in the service's words."""
    fault: str | None = None
    """What of it was not as the scenario says."""
    revisions: list[int] = []
    """Numbers of the changes of the machine that it took."""


class Change(_Model):
    """A change of the machine: who may send to whom, and who has which node."""

    revision: int
    """Its number."""
    started: int
    """Cycle in which it began."""
    revoked: int
    """When all nodes had acknowledged that what it takes away is refused."""
    finished: int
    """When all of it was there: nodes that change hands cleared, and released."""
    handed_over: list[int]
    """Ranks that changed hands."""


class Held(_Model):
    """A node in a lease."""

    rank: int
    """The node."""
    lease: str
    """Name of the lease."""
    who: str
    """Name of who rents it."""
    begin: int
    """Cycle of the reading with which it came: the tenant before could no longer send, and this one not yet."""
    end: int | None
    """Cycle of the reading with which it left; null if it had it to the end."""


class Record(_Model):
    """What happened."""

    state: Literal["done", "failed"]
    """`failed`: it was not played to its end; `message` says why."""
    message: str = ""
    """Why."""
    events: list[Happened] = []
    """In the order in which they were played."""
    changes: list[Change] = []
    """Of the machine."""
    held: list[Held] = []
    """Who had which node when, by node and time."""
    matrix: dict[str, Matrix] = {}
    """By probe, what the service had told the machine, and what nodes have heard. Nodes that nobody rents are in hold:
    they send nothing, and nothing is observed of them."""
    rented: dict[str, dict[str, list[int]]] = {}
    """By probe and principal, ranks of the nodes that took part."""
    console: list[ConsoleLine] = []
    """All that nodes said to those who rent them."""
    errors: list[ConsoleLine] = []
    """Of that, errors that loaders and kernels reported, and that no event waited for."""
    findings: list[str] = []
    """What `khhw cloud check` finds at the end: where store and machine do not agree."""
    cycles: int = 0
    """Length of the run."""
    wall_seconds: float = 0.0
    """Wall time of the run."""
    shortcomings: list[str] = []
    """What is not as it must be, a sentence each, the most important first. Empty: passed."""

    def judge(self) -> list[str]:
        """What `shortcomings` is to be."""
        found = [self.message] if self.state == "failed" else []
        for name, matrix in self.matrix.items():
            found += matrix.judge(f"probe {name}")
        found += [f"cycle {event.cycle:,}: {event.words}: {event.fault}" for event in self.events if event.fault]
        found += [f"cycle {said.cycle:,}: node {said.node} said {said.text!r}, and no event waits for that"
                  for said in self.errors]
        return found + [f"store and machine do not agree: {finding}" for finding in self.findings]
