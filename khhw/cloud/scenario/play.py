"""Playing a scenario: the core that ``khhw cloud serve`` has, a machine in RTL that waits, and no sockets for clients.

Whatever is asked of the core is carried out before anything else happens, and the machine's time passes only while it
does something that it was told. So no cycle depends on how long anything takes on the wall, and a scenario that is
played again gives the same.
"""

import datetime
import time
from collections.abc import Callable
from pathlib import Path

from khhw.cloud.callers import Caller
from khhw.cloud.core import Core
from khhw.cloud.errors import CloudError
from khhw.cloud.machine import MachineError
from khhw.cloud.models import Console, Quota
from khhw.cloud.scenario.asking import Asking
from khhw.cloud.scenario.consoles import Consoles, SilentError
from khhw.cloud.scenario.file import OWNER, Event, Scenario
from khhw.cloud.scenario.probing import probed
from khhw.cloud.scenario.record import Change, Happened, Held, Record
from khhw.cloud.scenario.waiting import WaitingMachine
from khhw.cloud.scenario.words import event_in_words
from khhw.cloud.stays import stays
from khhw.control.console import Answer
from khhw.kernels.approval import image_digest
from khhw.kernels.image import build_image
from khhw.machine.lookup import find_kernel
from khhw.machine.machine import Machine, OnReport

__all__ = ["play"]

_WALL = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
"""What the wall says, for as long as a scenario is played."""
OnHappened = Callable[[Happened], None]


def play(
    scenario: Scenario, machine: Machine, folder: Path, state: Path, *, on_report: OnReport | None = None,
    on_happened: OnHappened = lambda _: None,
) -> Record:
    """Play a scenario.

    Parameters
    ----------
    scenario : Scenario
        Checked.
    machine : Machine
        Its machine, with the seed of the scenario.
    folder : Path
        Where kernels of one's own are looked for.
    state : Path
        Folder for the state of the cloud; empty, or to be made.
    on_report : callable, optional
        Told of a build.
    on_happened : callable, optional
        Told of each event when it is over.

    Returns
    -------
    Record
        Also where it came to no end: look at ``state``.
    """
    simulated = WaitingMachine(state, machine, on_report)
    token = Core.init(state, simulated.info, owner=OWNER, wall=lambda: _WALL)
    core = Core.open(state, simulated.info, wall=lambda: _WALL)
    began = time.monotonic()
    try:
        # Before time is counted, the machine may have to be built.
        simulated.connect()
        began = time.monotonic()
        core.connect(simulated)
        player = _Player(scenario, core, simulated, core.principals.authenticate(token), folder, on_happened)
        record = player.play()
        simulated.switch_off()
    finally:
        # Left alone, a machine that waits ends when it has done what it is at, or its folder is gone.
        simulated.close()
        core.close()
    return record.model_copy(update={"wall_seconds": round(time.monotonic() - began, 3),
                                     "shortcomings": record.judge()})


class _Player:
    """One run."""

    def __init__(self, scenario: Scenario, core: Core, machine: WaitingMachine, owner: Caller, folder: Path,
                 on_happened: OnHappened) -> None:
        self._scenario, self._core, self._machine = scenario, core, machine
        self._on_happened = on_happened
        self._callers = {OWNER: owner}
        self._images = {name: build_image(find_kernel(name, folder)) for name in dict.fromkeys(scenario.kernels())}
        self._consoles = Consoles(core, machine, self._pass_until)
        self._asking = Asking(core)
        self._record = Record(state="done")
        self._written = 0
        """Changes of the machine that are in the record, or from before the first event."""

    def play(self) -> Record:
        """All of it."""
        try:
            self._prepare()
            for event in self._scenario.events:
                self._pass_until(event.cycle)
                self._event(event)
        except MachineError as error:
            self._record.state, self._record.message = "failed", str(error)
        return self._told()

    def _prepare(self) -> None:
        """Principals, those above first; and what may boot."""
        waiting = dict(self._scenario.principals)
        while waiting:
            for name, tenant in list(waiting.items()):
                above = self._callers.get(tenant.below or OWNER)
                if above is not None:
                    quota = Quota(nodes=tenant.nodes, networks=tenant.networks, leases=tenant.leases)
                    made = self._core.principals.create(above, None, name, quota=quota)
                    self._callers[name] = Caller(made.id, name)
                    del waiting[name]
        for name, image in self._images.items():
            self._core.approvals.approve(self._callers[OWNER], None, image_digest(image), name)
        self._settle()
        self._written = len(self._machine.applied)

    def _pass_until(self, cycle: int) -> None:
        """Let time pass; leases whose time is over end in the cycle in which it is, or when a change before is done."""
        hz = self._machine.info.clock_hz
        while True:
            now = self._machine.clock().cycle
            if self._settle():
                words = "leases end whose time is over"
                self._happened(Happened(cycle=now, finished=0, who=None, operation=None, words=words))
                continue
            if now >= cycle:
                return
            ends = [round(lease.end_time * hz) for lease in self._core.leases.all(self._callers[OWNER])
                    if lease.end_time is not None]
            self._machine.pass_until(min([cycle, *(end for end in ends if end > now)]))

    def _settle(self) -> bool:
        """Have everything carried out that was asked for; whether the machine was changed."""
        before = len(self._machine.applied)
        for caller in self._callers.values():
            # Their nodes speak before the change that they come with has ended.
            self._consoles.attend(caller)
        while self._core.step():
            pass
        now = self._core.time()
        if now.trouble is not None or now.boot != 1:
            raise MachineError(now.trouble or "the simulator ended, and began again")
        return len(self._machine.applied) > before

    def _event(self, event: Event) -> None:
        happened = Happened(cycle=self._machine.clock().cycle, finished=0, who=event.who,
                            operation=event.operation[0], words=event_in_words(event))
        try:
            self._do(event)
            self._settle()
        except CloudError as error:
            happened.refused = error.sentence
        except SilentError as error:
            happened.fault = str(error)
        if event.refused is None and happened.refused is not None:
            happened.fault = f"refused: {happened.refused}"
        elif event.refused is not None and event.refused not in (happened.refused or ""):
            happened.fault = f"was to be refused with {event.refused!r}, " + (
                "and was not" if happened.refused is None else f"not {happened.refused!r}")
        self._happened(happened)

    def _happened(self, happened: Happened) -> None:
        """Write down what is over."""
        happened.finished = self._machine.clock().cycle
        changes, self._written = self._machine.applied[self._written:], len(self._machine.applied)
        for revision, done in changes:
            happened.revisions.append(done.number)
            self._record.changes.append(Change(
                revision=done.number, started=done.started.cycle, revoked=done.revoked.cycle,
                finished=done.finished.cycle, handed_over=sorted(revision.hand_over)))
        self._record.events.append(happened)
        self._on_happened(happened)

    def _do(self, event: Event) -> None:
        name, value = event.operation
        if name == "probe":
            self._probe(value)
            return
        caller = self._callers[str(event.who)]
        match name:
            case "type":
                self._consoles.type(self._console(caller, value.lease), value.line, value.nodes,
                                    None if value.answer is None else Answer(value.answer))
            case "boot":
                console, image = self._console(caller, value.lease), self._images[value.kernel]
                self._consoles.load(console, image, value.nodes)
                self._consoles.boot(console, value.arguments.replace("{seed}", str(self._scenario.seed)), value.nodes,
                                    None if value.answer is None else Answer(value.answer))
            case "cleared":
                self._consoles.check_cleared(self._console(caller, value))
            case _:
                self._asking.ask(caller, name, value)

    def _console(self, caller: Caller, lease: str) -> Console:
        return self._consoles.of(caller, self._core.leases.get(caller, self._asking.lease(caller, lease)))

    def _probe(self, name: str) -> None:
        consoles, rented = list[Console](), dict[str, list[int]]()
        for caller in self._callers.values():
            # Those of leases, and his own: channels of single nodes are of the same nodes.
            own = [console for console in self._core.channels.all(caller)
                   if console.node is None and "share" in console.rights]
            consoles += own
            if own:
                rented[caller.name] = sorted(rank for console in own for rank in console.nodes)
        self._record.rented[name] = rented
        self._record.matrix[name] = probed(self._consoles, consoles, self._images["probe"], self._scenario.seed,
                                           self._machine.domains)

    def _told(self) -> Record:
        """What came of it, whether it came to its end or not."""
        if lost := self._consoles.missed:
            self._record.state, self._record.message = "failed", f"{lost} packets of consoles were lost"
        if self._record.state == "done":
            self._record.cycles = self._machine.clock().cycle
            self._record.findings = [finding.what for finding in self._core.check(self._machine).findings]
        else:
            self._record.cycles = self._core.time().cycle
        self._record.console = self._consoles.lines()
        self._record.errors = self._consoles.errors()
        self._record.held = self._held()
        return self._record

    def _held(self) -> list[Held]:
        owner = self._callers[OWNER]
        found = [Held(rank=stay.begin.rank, lease=str(lease.name), who=lease.project, begin=stay.begin.cycle,
                      end=None if stay.end is None else stay.end.cycle)
                 for lease in self._core.leases.all(owner, ended=True)
                 for stay in stays(self._core.leases.readings(owner, lease.uuid))]
        return sorted(found, key=lambda held: (held.rank, held.begin))
