"""Builds before points: each made once on every host, and by no two workers at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from khhw.sweep.backend import Backend, prepared
from khhw.sweep.cluster import Cluster, Done
from khhw.sweep.view import View
from khhw.traffic.point import Build, Point

__all__ = ["Builds", "reason_of"]

_LOOK = 1.0


def reason_of(error: BaseException) -> str:
    """What went wrong, in words."""
    known = ("RequestError", "BuildError", "WrongPacketsError", "OtherHardwareError")
    text = str(error).strip() or type(error).__name__
    if type(error).__name__ == "KilledWorker":
        return ("every worker that measured it was lost; a worker that needs more memory than there is, is killed by "
                "the system")
    return text if type(error).__name__ in known else f"{type(error).__name__}: {text}"


@dataclass
class Builds:
    """Which host has which build.

    Parameters
    ----------
    backend : Backend
        Makes them.
    identities : mapping
        Identity of each build.
    failed : dict
        By build, and by host: why it could not be made there.
    """

    backend: Backend
    identities: Mapping[Build, str]
    failed: dict[Build, dict[str, str]] = field(default_factory=dict)
    _hosts: int = 0

    def make(self, cluster: Cluster, points: Sequence[Point], view: View) -> None:
        """Make what `points` need on every host of a cluster."""
        wanted = {point.build: sorted({p.nodes for p in points if p.build == point.build}) for point in points}
        hosts = list(dict.fromkeys(cluster.hosts()))
        self._hosts = len(hosts)
        open_tasks = {f"build {build.name} on {host}": (build, host) for build in wanted for host in hosts}
        for key, (build, host) in open_tasks.items():
            cluster.submit(key, prepared, self.backend, build, wanted[build], self.identities[build], hosts=[host])
        while open_tasks:
            view.stage(f"building {len({build for build, _ in open_tasks.values()})} of {len(wanted)} kinds of node, "
                       f"unless cached")
            for event in cluster.events(_LOOK):
                if isinstance(event, Done) and event.key in open_tasks:
                    build, host = open_tasks.pop(event.key)
                    cluster.forget(event.key)
                    if event.error is not None:
                        self.failed.setdefault(build, {})[host] = reason_of(event.error)
        for build, reasons in self.failed.items():
            for host, reason in reasons.items():
                if not self.is_broken(build):
                    view.note(f"{host} measures nothing with {_describe(build)}: {reason}")

    def is_broken(self, build: Build) -> bool:
        """No host could make it."""
        return len(self.failed.get(build, {})) >= self._hosts > 0

    def reason(self, build: Build) -> str:
        """Why a broken build could not be made."""
        return next(iter(self.failed[build].values()))

    def hosts(self, cluster: Cluster, build: Build) -> list[str]:
        """Hosts that can measure with a build; empty if all can."""
        bad = self.failed.get(build)
        return sorted(set(cluster.hosts()) - set(bad)) if bad else []


def _describe(build: Build) -> str:
    return ", ".join(f"{name} = {value}" for name, value in build.node.as_dict().items())
