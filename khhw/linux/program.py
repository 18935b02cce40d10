"""A machine whose nodes run the computer's Linux, until it is stopped. Runs in the simulator process."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from khhw.control.domains import Domains
from khhw.host.inbox import Inbox
from khhw.host.ports import Host
from khhw.host.scheduler import ROOT
from khhw.host.sync import Queue
from khhw.linux.control import Call, Calls
from khhw.linux.kernel import drop_capabilities, end_with_parent
from khhw.linux.node import LinuxFirmware
from khhw.linux.plan import Plan
from khhw.linux.taps import Tap, TapReader, take_over
from khhw.machine.file import MachineFile
from khhw.machine.program import MachineProgram
from khhw.sim.options import Outcome
from khhw.sim.reports import report
from rtl.formats import Reason

__all__ = ["LinuxProgram", "program"]

_CREDITS = 16
"""Frames of an interface on their way to its node: enough for the next to be there when one has been sent."""


def program(host: Host, arguments: Mapping[str, Any]) -> "LinuxProgram":
    """The program of a machine whose nodes run Linux; the entry of a simulator process.

    Parameters
    ----------
    host : Host
        Not yet running; is given an inbox.
    arguments : mapping
        ``machine`` (a dumped :class:`~khhw.machine.file.MachineFile` with networks), ``seed``, and ``folder`` of the
        machine: see :class:`~khhw.linux.namespaces.Namespaces`.
    """
    machine = MachineFile.model_validate(arguments["machine"])
    taps = take_over(Path(arguments["folder"]) / "taps")
    calls = Calls(Path(arguments["folder"]) / "control")
    # From here on it needs none: what nodes send goes through descriptors that are open.
    drop_capabilities()
    end_with_parent()
    host.inbox = Inbox()
    run = LinuxProgram(host, machine, arguments["seed"], taps, calls)
    for port in host.nodes:
        firmware = run.firmware.get(port.rank)
        port.boot(run.failures.load if firmware is None else firmware.run)
    host.scheduler.spawn(run.run(), rank=ROOT, name="owner")
    return run


class LinuxProgram(MachineProgram):
    """One run that ends when it is stopped; a ``Program``.

    Reports ``serving`` when nodes can send, and with each ``progress`` what has passed.
    """

    def __init__(self, host: Host, machine: MachineFile, seed: int, taps: list[Tap], calls: Calls) -> None:
        super().__init__(host, machine, {}, seed)
        networks = Plan(machine).networks()
        by_rank: dict[int, dict[int, Tap]] = {}
        for tap in taps:
            by_rank.setdefault(tap.rank, {})[tap.network] = tap
        self.firmware = {rank: LinuxFirmware(own, [one for one in networks if one.number in own])
                         for rank, own in by_rank.items()}
        assert host.inbox is not None
        self._inbox = host.inbox
        self._reader = TapReader(taps, _CREDITS, self._arrived)
        self._calls = calls
        self._asked: Queue[Call] = Queue(name="a call")
        for firmware in self.firmware.values():
            firmware.reader = self._reader
        host.figures = self._figures

    async def run(self) -> None:
        """Boot the machine, let its nodes send to whom they share a network with, and do what is asked, for ever."""
        await self.boot()
        await self._epochs.change(self._shared())
        self._reader.start()
        self._calls.start(lambda call: self._inbox.post(ROOT, partial(self._asked.put_nowait, call), "a call"))
        report("serving", nodes=sorted(self.firmware))
        while True:
            call = await self._asked.get()
            call.answer(await self._do(call.asked))

    def _arrived(self, tap: Tap, frames: list[bytes]) -> None:
        """Linux has sent frames; in the reader's thread."""
        self._inbox.post(tap.rank, partial(self.firmware[tap.rank].offer, tap, frames), "frames of Linux")

    def _shared(self) -> Domains:
        """Who shares a network may send to each other: to guards several networks of two nodes are one."""
        allowed = np.eye(self.shape.nodes, dtype=bool)
        for network in self.machine.networks.values():
            members = network.ranks(self.shape.nodes)
            allowed[np.ix_(members, members)] = True
        return Domains(allowed)

    async def _do(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What is answered to a call: ``status``, or ``change`` to domains of the machine file."""
        match asked:
            case {"change": None}:
                await self._epochs.change(self._shared())
                return {}
            case {"change": str(name)}:
                try:
                    matrix = self.machine.matrix(name)
                except LookupError as error:
                    return {"error": str(error)}
                await self._epochs.change(Domains(matrix))
                return {}
            case {"status": True}:
                return await self._status()
        return {"error": f"nothing is known of {asked!r}"}

    async def _status(self) -> dict[str, Any]:
        """What has passed each node, and what its guards have refused, by reason."""
        refused = {reason: await self._owner.read_all("REFUSED", reason) for reason in (Reason.ROW, Reason.COLUMN)}
        return {"cycle": self.host.scheduler.now, "nodes": [
            {"rank": rank, **asdict(firmware.counts), "unread": firmware.unread,
             "refused": {reason.name: counts[rank] for reason, counts in refused.items()}}
            for rank, firmware in sorted(self.firmware.items())]}

    def _figures(self) -> dict[str, Any]:
        counts = [firmware.counts for firmware in self.firmware.values()]
        return {"frames": sum(one.received for one in counts), "bytes": sum(one.received_bytes for one in counts),
                "skipped_cycles": self._inbox.skipped_cycles, "waited_seconds": round(self._inbox.waited_seconds, 3)}

    def results(self, _outcome: Outcome) -> dict[str, Any]:
        """What has passed."""
        self._calls.close()
        return {**self._figures(), "nodes": {str(rank): {**asdict(firmware.counts), "unread": firmware.unread}
                                             for rank, firmware in sorted(self.firmware.items())}}
