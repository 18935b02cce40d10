"""One machine under attack: its owner, honest and hostile nodes, round after round."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.outside import Outside
from khhw.control.owner import ConsoleKeys, Owner, OwnerError
from khhw.fuzz.attacker import Attacker
from khhw.fuzz.counter_checks import Reading, compare, faults, read_counters
from khhw.fuzz.honest import DROPS, Honest, Parcel, landing, plan
from khhw.fuzz.hostile import Aim
from khhw.fuzz.memory_map import NODE
from khhw.fuzz.one_guard import install
from khhw.fuzz.reference_model import ReferenceModel, WatchedChanges
from khhw.fuzz.scenario import Matrix, Scenario
from khhw.fuzz.scoreboard import Scoreboard, Violation
from khhw.fuzz.stimulus import NO_TABLE, Stimulus
from khhw.host.ports import Host
from khhw.host.sync import gather
from khhw.host.transport import BusError
from khhw.net.keys import KEYS
from khhw.node.tree_packets import TreePacket
from khhw.sim.engine import Engine
from rtl.formats import Reason
from rtl.registers import REGISTERS, Fault

__all__ = ["Finding", "Session"]

_DOWN, _UP = 1, 2
"""Console channels: what all hear, and what all speak on and hear, too. Only the column keeps domains apart."""
_CONSOLE = ConsoleKeys(_UP, (_DOWN, _UP))
_KEYS = {("HOLD", 0): 0, ("GRANTS", 0): 0, ("CONSOLE_SEND_ID", 0): _UP, ("CONSOLE_LISTEN", 0): 0b11,
         ("CONSOLE_RECEIVE_ID", 0): _DOWN, ("CONSOLE_RECEIVE_ID", 1): _UP}
_POLL, _PATIENCE, _LAST = 100, 100, 3000


@dataclass
class Finding:
    """What came of a round.

    Parameters
    ----------
    stimulus : Stimulus
    packets : int
        Hostile ones, console packets included.
    cycles : int
        When it was over, since the machine started.
    tried, refused : Counter
        By kind, and by reason.
    cover : Counter
        Hits of named cover points, ``way: end, reason``.
    violations : list of Violation
    """

    stimulus: Stimulus
    packets: int = 0
    cycles: int = 0
    tried: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    cover: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)


class Session:
    """A program of a machine, for :func:`khhw.sim.engine.bridge.drive`.

    Parameters
    ----------
    engine : Engine
        In cycle 0.
    scenario : Scenario
    seed : int
        Of what honest nodes do.
    draw : callable
        The next round, or None to end.
    told : callable
        Told what came of it; a round with a violation is the last.
    """

    def __init__(
        self, engine: Engine, scenario: Scenario, seed: int, draw: Callable[[], Stimulus | None],
        told: Callable[[Finding], None],
    ) -> None:
        self.host = Host(scenario.shape.nodes, NODE.memory_bytes)
        self.host.memory = engine
        self._engine = engine
        self._scenario = scenario
        self._draw = draw
        self._told = told
        self._rng = np.random.default_rng(seed)
        self._outside = Outside(self.host.root)
        self._owner = Owner(self._outside, scenario.shape)
        self._model = ReferenceModel(scenario.shape.nodes)
        self._columns = self._model.now
        self._key = int(self._rng.integers(KEYS))
        self._epochs = EpochControl(self._owner)
        self._changes = WatchedChanges(self._epochs, self._model, self._look)
        self._honest = [Honest(self.host, scenario, rank, self._rng) for rank in scenario.honest]
        self._hostile = [Attacker(self.host, rank) for rank in scenario.hostile]
        self._board = Scoreboard(engine, self._model, scenario, self._honest, self._hostile, _UP)
        self._drops: dict[int, dict[str, int]] = {}
        self._own: dict[int, dict[str, int]] = {}
        self._refused_puts = 0
        self._playing = False
        self._bare_played = False
        self.host.scheduler.spawn(self._run(), name="owner")

    async def _run(self) -> None:
        # Signatures of links are for comparing engines, and cost time.
        self._engine.sign(False)
        await self._outside.start()
        self._outside.subscribe(lambda _cycle, packet: self._came_out(packet))
        await self._owner.set_console(None, *_CONSOLE)
        await self._owner.release(None)
        await gather(*(node.set_up() for node in self._honest))
        self._drops = {node.rank: await node.drops() for node in self._honest}
        while (stimulus := self._draw()) is not None:
            finding = await self._round(self._with_tables(stimulus))
            self._told(finding)
            if finding.violations:
                return

    def _with_tables(self, stimulus: Stimulus) -> Stimulus:
        """The first round of a machine is played before any table is committed; no other can be."""
        if not self._bare_played:
            self._bare_played = True
            return replace(stimulus, tables=NO_TABLE, meanwhile="nothing")
        return replace(stimulus, tables="both") if stimulus.tables == NO_TABLE else stimulus

    def _came_out(self, packet: TreePacket) -> None:
        self._board.outside(packet)

    def _look(self) -> None:
        if self._playing:
            self._board.look()

    async def _round(self, stimulus: Stimulus) -> Finding:
        """One round: set the tables, let everybody play, and look at everything when it is quiet."""
        finding = Finding(stimulus)
        rng = np.random.default_rng(stimulus.seed)
        try:
            if stimulus.tables != NO_TABLE:
                await self._become(self._scenario.matrix(stimulus.matrices[0]))
                self._columns = await self._open_one_guard(stimulus)
            self._key = (self._key + 1) % KEYS
            await gather(*(node.arm(self._key) for node in self._honest))
            before = await read_counters(self._owner, 2)
            parcels = self._begin()
            self._playing = True
            await gather(
                *(attacker.play(self._aim(attacker, stimulus)) for attacker in self._hostile),
                *(node.send(int(rng.integers(500))) for node in self._honest),
                self._meanwhile(stimulus, rng))
            await self._settle()
            await self._judge(finding, before, parcels)
        except OwnerError as error:
            self._board.wrong("owner", str(error))
        self._playing = False
        if stimulus.tables in ("column only", "row only"):
            await self._install(self._model.now, self._model.now)
        finding.cycles = self._engine.now
        finding.violations = self._board.violations
        return finding

    async def _become(self, allowed: Matrix) -> None:
        if not np.array_equal(allowed, self._model.now):
            await self._changes.change_to(allowed)

    async def _open_one_guard(self, stimulus: Stimulus) -> Matrix:
        """Tables in which only rows, or only columns, keep the hostile away; returns what columns allow."""
        now = self._model.now
        wide = now.copy()
        wide[np.ix_(self._scenario.hostile, self._scenario.honest)] = True
        if stimulus.tables == "column only":
            await self._install(wide, now)
        elif stimulus.tables == "row only":
            await self._install(now, wide)
            return wide
        return now

    async def _install(self, rows: Matrix, columns: Matrix) -> None:
        await install(self._owner, self._epochs, Domains(rows), Domains(columns))

    def _begin(self) -> Sequence[Parcel]:
        """From this cycle on the round runs; hostile nodes start in it."""
        self._model.begin_round(self._columns)
        parcels = plan(self._honest, self._model.now, self._rng)
        for node in self._honest:
            node.prepare([parcel for parcel in parcels if parcel.source == node.rank])
        for attacker in self._hostile:
            attacker.begin()
        self._board.begin_round(parcels)
        return parcels

    def _aim(self, attacker: Attacker, stimulus: Stimulus) -> Aim:
        row = self._model.now[attacker.rank]
        foes = tuple(rank for rank in self._scenario.honest if not row[rank])
        friends = tuple(int(rank) for rank in np.flatnonzero(row))
        rng = np.random.default_rng((stimulus.seed, attacker.rank))
        return Aim(self._scenario, attacker.rank, foes or self._scenario.honest, friends, self._key, stimulus, rng)

    async def _meanwhile(self, stimulus: Stimulus, rng: np.random.Generator) -> None:
        """What the owner does while the others play."""
        if stimulus.meanwhile == "change":
            for name in stimulus.matrices[1:]:
                await self._outside.sleep(int(rng.integers(50, 1500)))
                await self._changes.change_to(self._scenario.matrix(name))
        elif stimulus.meanwhile == "hold":
            await self._outside.sleep(int(rng.integers(600, 3000)))
            await self._hold(self._hostile[int(rng.integers(len(self._hostile)))], int(rng.integers(50, 1500)))

    async def _hold(self, attacker: Attacker, cycles: int) -> None:
        """Take a node from its tenant and give it to the next: nothing of the one before may be in it."""
        attacker.silent = True
        await self._owner.hold(attacker.rank, clear=True)
        await self._owner.write(attacker.rank, *_CONSOLE.writes)
        await self._outside.sleep(cycles)
        refused = await self._owner.read(attacker.rank, "REFUSED", Reason)
        if any(refused + await self._owner.read(attacker.rank, "LOG_COUNT")):
            self._board.wrong("residue", f"node {attacker.rank} was cleared, and still tells of refusals")
        await self._owner.release(attacker.rank)
        while (await self._owner.read(attacker.rank, "HOLD"))[0]:
            await self._outside.sleep(_POLL)
        if any(self._engine.peek(attacker.rank, 0, NODE.memory_bytes)):
            self._board.wrong("residue", f"node {attacker.rank} was cleared, and holds bytes of its last tenant")
        attacker.image[:] = 0

    async def _settle(self) -> None:
        """Wait until nothing moves; hostile nodes that do not end by themselves are told to."""
        for look in range(_LAST):
            if self._engine.quiescent.all():
                return
            await self._outside.sleep(_POLL)
            if look == _PATIENCE:
                await gather(*(attacker.stop() for attacker in self._hostile))
        busy = np.flatnonzero(self._engine.quiescent == 0).tolist()
        self._board.wrong("liveness", f"nodes {busy} are still busy after {_POLL * _LAST} cycles")

    async def _judge(self, finding: Finding, before: dict[int, Reading], parcels: Sequence[Parcel]) -> None:
        """Memories, registers, counters; then the honest empty their rings."""
        tails = dict(zip(self._scenario.honest, await gather(*(node.tails() for node in self._honest)), strict=True))
        self._board.look(tails)
        await gather(*(self._check_registers(node, parcels) for node in self._honest))
        after = await read_counters(self._owner, 2)
        for attacker in self._hostile:
            if attacker.silent:
                before[attacker.rank] = before[attacker.rank].cleared()
        for fault in faults(before, after, self._scenario, self._model, parcels, _KEYS):
            self._board.wrong("guard", fault)
        for attacker in self._hostile:
            for access in attacker.accepted:
                self._board.wrong("register", f"node {attacker.rank} was not refused {access}")
        await self._account(finding, before, after)
        await gather(*(node.take(tails[node.rank]) for node in self._honest))

    async def _check_registers(self, node: Honest, parcels: Iterable[Parcel]) -> None:
        for key, value in (await node.watched()).items():
            if node.registers[key] != value:
                self._board.wrong("state", f"node {node.rank}: {key[0]}[{key[1]}] went from {node.registers[key]:#x} "
                                  f"to {value:#x}")
        drops, counted = await node.drops(), await node.counters()
        old, self._drops[node.rank] = self._drops[node.rank], drops
        late = [parcel for parcel in parcels if (parcel.kind, parcel.target) == ("late", node.rank)]
        least, most = (
            sum(parcel.within(allowed) for parcel in late) for allowed in (self._model.always, self._model.ever))
        dropped = drops["COUNTER_DROPS"] - old["COUNTER_DROPS"]
        if not self._board.isolated(node.rank):
            self._refused_puts += max(0, dropped - most)
            return
        for name, value in drops.items():
            if value != old[name] and name != "COUNTER_DROPS" and not (name == "CONSOLE_DROPS" and self._model.opened):
                self._board.wrong("state", f"node {node.rank}: {name} went from {old[name]} to {value}")
        if not least <= dropped <= most:
            self._board.wrong("counter", f"node {node.rank}: {dropped} puts were dropped, not {least} to {most}")
        certain, possible = self._bytes(node, parcels, self._model.always), self._bytes(node, parcels, self._model.ever)
        for counter, value in counted.items():
            if not certain[counter] <= value <= possible[counter]:
                self._board.wrong("counter", f"node {node.rank}: reception counter {counter} counted {value} bytes, "
                                  f"not {certain[counter]} to {possible[counter]}")

    def _bytes(self, node: Honest, parcels: Iterable[Parcel], allowed: Matrix) -> Counter[int]:
        """Bytes that puts and answers bring to each reception counter of a node, if the others hear it undisturbed."""
        mine = [parcel for parcel in parcels if parcel.receiver == node.rank and parcel.kind in ("put", "get")
                and parcel.within(allowed)]
        if allowed is self._model.always:
            mine = [parcel for parcel in mine if parcel.kind == "put" or self._board.isolated(parcel.target)]
        found: Counter[int] = Counter()
        for parcel in mine:
            found[landing(self._scenario, parcel)[0]] += len(parcel.data)
        return found

    async def _account(self, finding: Finding, before: dict[int, Reading], after: dict[int, Reading]) -> None:
        """Numbers of the round."""
        counted = compare(before, after, self._scenario)
        ends = counted.ends
        for kind, hits in self._board.arrived.items():
            ends["delivered", f"{kind} to the honest, allowed"] += hits
        ends["dropped", "put to the honest, from a permitted node"] += self._refused_puts
        self._refused_puts = 0
        self._board.arrived.clear()
        for attacker in self._hostile:
            finding.tried += attacker.tried
            finding.packets += attacker.said
            for page, hits in attacker.refused.items():
                ends["bus error", page] += hits
            ends += await self._own_ends(attacker)
        finding.packets += counted.packets
        finding.refused = counted.refused
        if finding.stimulus.meanwhile != "nothing":
            finding.tried[finding.stimulus.meanwhile] += 1
        way = finding.stimulus.way
        if finding.stimulus.meanwhile != "nothing":
            way += f" during {finding.stimulus.meanwhile}"
        if finding.stimulus.tables == NO_TABLE:
            way += " before any table"
        finding.cover = Counter({f"{way}: {end}, {reason}": hits for (end, reason), hits in ends.items()})

    async def _own_ends(self, attacker: Attacker) -> Counter[tuple[str, str]]:
        """What a hostile node's own interface counted in this round: the kind of its last fault, and drops."""
        port, found = self.host.nodes[attacker.rank], Counter[tuple[str, str]]()
        try:
            counts = {name: await port.read(REGISTERS[name].at()) for name in DROPS}
            last = await port.read(REGISTERS["LAST_FAULT"].at())
        except BusError:
            return Counter({("bus error", "held"): 1})
        fault = Fault(REGISTERS["LAST_FAULT"].unpack(last)["fault"])
        before, self._own[attacker.rank] = self._own.get(attacker.rank, {}), counts
        for name, count in counts.items():
            # A node that was held in this round counts from 0 again.
            more = count - before.get(name, 0) if count >= before.get(name, 0) else count
            if name == "FAULTS":
                found["fault", fault.name] += more
            elif name != "BUS_ERRORS":
                found["dropped", name.removesuffix("_DROPS")] += more
        return +found
