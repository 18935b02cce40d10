"""A core with a recorded machine, and people in it."""

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.errors import CloudError, Kind
from khhw.cloud.models import Acquire, Intent, Lease, Quota
from tests.cloud.recorded import RecordedMachine

__all__ = ["PLENTY", "Cloud", "refused"]

PLENTY = Quota(nodes=8, networks=8, leases=8)


def refused(kind: Kind, words: str, do: Callable[..., object], *arguments: object, **keywords: object) -> None:
    """Something is refused, for a reason."""
    with pytest.raises(CloudError, match=words) as found:
        do(*arguments, **keywords)
    assert found.value.kind == kind


class Cloud:
    """A state folder that is open, and its machine.

    Attributes
    ----------
    core : Core
    machine : RecordedMachine
    owner : Caller
    wall : datetime
        Time of the wall; stands still.
    """

    def __init__(self, folder: Path, shape: tuple[int, int, int] = (2, 2, 2)) -> None:
        self.state = folder / "state"
        folder.mkdir(exist_ok=True)
        self.machine = RecordedMachine(folder, shape)
        self.wall = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
        self.token = Core.init(self.state, self.machine.info, wall=lambda: self.wall)
        self.open()
        self.owner = self.core.principals.authenticate(self.token)
        self.settle()

    def open(self) -> None:
        """As a service that is started."""
        self.core = Core.open(self.state, self.machine.info, wall=lambda: self.wall)
        self.core.connect(self.machine)

    def settle(self) -> None:
        """Carry everything out."""
        for _ in range(20):
            if not self.core.step():
                return
        raise AssertionError("it does not come to an end")

    def person(self, name: str, above: Caller | None = None, quota: Quota = PLENTY) -> Caller:
        """Somebody new."""
        made = self.core.principals.create(above or self.owner, None, name, quota=quota)
        return Caller(made.id, name)

    def rent(self, who: Caller, count: int = 1, **wish: object) -> Lease:
        """Nodes, ready for use."""
        intent = self.core.leases.acquire(who, None, Acquire.model_validate({"count": count, **wish}))
        self.settle()
        return self.lease(who, intent)

    def lease(self, who: Caller, intent: Intent) -> Lease:
        """The lease that an intent is about."""
        assert intent.lease_uuid is not None
        return self.core.leases.get(who, intent.lease_uuid)

    def states(self) -> list[str]:
        """Of all nodes."""
        return [node.state for node in self.core.nodes.all(self.owner)]

    def clean(self) -> bool:
        """Nothing is found, in the store and the machine."""
        found = self.core.check(self.machine)
        assert found.findings == []
        return found.clean and found.machine
