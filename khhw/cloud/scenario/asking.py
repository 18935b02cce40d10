"""What the principals of a scenario ask the core for, with names instead of numbers."""

from collections.abc import Iterable
from typing import Any

from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.errors import CloudError
from khhw.cloud.models import Acquire as Wish
from khhw.cloud.models import Connection, LeaseChange
from khhw.cloud.scenario.file import Acquire, Add, Extend, Join, Leave, Remove, Share, Sublet, Transfer

__all__ = ["Asking"]


class Asking:
    """Asks a core.

    Parameters
    ----------
    core : Core
    """

    def __init__(self, core: Core) -> None:
        self._core = core

    def lease(self, who: Caller, name: str) -> str:
        """UUID of a lease that somebody may see: of his own ones first, then of the latest.

        Raises
        ------
        CloudError
            NOT_FOUND if he sees none of this name.
        """
        found = [lease for lease in self._core.leases.all(who) if lease.name == name]
        found.sort(key=lambda lease: lease.project == who.name)
        if not found:
            raise CloudError.missing(f"there is no lease {name}")
        return found[-1].uuid

    def network(self, who: Caller, name: str) -> int:
        """Number of a network that somebody may see; NOT_FOUND if he sees none of this name."""
        for network in self._core.networks.all(who):
            if network.name == name:
                return network.id
        raise CloudError.missing(f"there is no network {name}")

    def ask(self, who: Caller, name: str, value: Any) -> None:
        """Ask for what an event is about, but for what happens at consoles.

        Parameters
        ----------
        who : Caller
        name : str
            Key of the event.
        value : object
            Of that key.

        Raises
        ------
        CloudError
            If it is refused.
        """
        if isinstance(value, str):
            self._named(who, name, value)
            return
        leases, networks = self._core.leases, self._core.networks
        match value:
            case Acquire():
                leases.acquire(who, None, Wish(
                    name=value.lease, **_some(value), networks=self._connections(who, value.networks),
                    new_networks=value.new_networks, internal=value.internal, external=value.external,
                    seconds=value.seconds, strict=value.strict))
            case Sublet():
                leases.acquire(who, None, Wish(
                    user=value.to, name=value.lease, **_some(value), parent_lease_uuid=self.lease(who, value.of),
                    networks=self._connections(who, value.networks), new_networks=0, seconds=value.seconds))
            case Add():
                leases.add(who, None, self.lease(who, value.lease), LeaseChange(**_some(value)))
            case Remove():
                leases.remove(who, None, self.lease(who, value.lease), LeaseChange(nodes=value.nodes))
            case Transfer():
                leases.transfer(who, None, self.lease(who, value.lease), value.to)
            case Extend():
                leases.extend(who, None, self.lease(who, value.lease), seconds=value.seconds)
            case Share():
                networks.share(who, None, self.network(who, value.network), value.guest, value.direction)
            case Join():
                wish = Connection(network=self.network(who, value.network), direction=value.direction)
                networks.connect(who, None, self.lease(who, value.lease), wish, nodes=value.nodes)
            case Leave():
                networks.leave(who, None, self.network(who, value.network), value.guest)
            case _:
                raise AssertionError(f"nobody carries out {name}")

    def _named(self, who: Caller, name: str, value: str) -> None:
        leases, networks = self._core.leases, self._core.networks
        match name:
            case "release":
                leases.release(who, None, self.lease(who, value))
            case "accept":
                leases.accept(who, None, self.lease(who, value))
            case "decline":
                leases.decline(who, None, self.lease(who, value))
            case "create":
                networks.create(who, None, value)
            case "consent":
                networks.accept(who, None, self.network(who, value))
            case _:
                raise AssertionError(f"nobody carries out {name}")

    def _connections(self, who: Caller, names: Iterable[str]) -> list[Connection]:
        return [Connection(network=self.network(who, name)) for name in names]


def _some(wish: Acquire | Sublet | Add) -> dict[str, Any]:
    """Which nodes; the count is 1 where nothing is said."""
    return {"nodes": wish.nodes} if wish.nodes is not None else {"count": wish.count or 1}
