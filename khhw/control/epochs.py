"""Changing communication domains on a running machine, in two phases, and giving nodes to other tenants."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from khhw.control.change_checks import check_change, check_hand_over, check_room
from khhw.control.changes import AdoptError, Change, EpochError, Keep, Moment, Watch
from khhw.control.domains import DomainError, Domains
from khhw.control.links import CableState, CableWatch
from khhw.control.owner import ConsoleKeys, Owner, RefusedError, Write, named
from khhw.control.tables import Load, TableBanks, table_crc, table_writes
from khhw.control.tree_classes import ROUTED_CLASSES, Routes, TreeClasses
from khhw.node.tree_packets import Control
from rtl.formats import STALE_COMMITS, ControlOp
from rtl.guard.counters import EPOCH_COUNTERS
from rtl.registers import REGISTERS

__all__ = ["EpochControl"]

_POLL = 200
"""Cycles between looks at the machine while a phase ends."""
_LIMIT = 500_000
_STILL = 10_000
"""Cycles between looks at the cables: many times what a packet needs for a hop that nobody else wants."""
_MODULUS = 1 << 32
_COUNTERS = tuple(name.upper() for name in EPOCH_COUNTERS)
_FOUND = ("REVISION", "TABLE_CRC", "GUARD_STATUS", "HOLD")
_BROADCASTS: Mapping[int, int] = {}
"""Classes of texts where nobody was given any."""


class EpochControl:
    """Keeps the domains of a machine, and changes them without mixing old and new.

    A new one knows nothing of a machine that runs already. What it is asked to do is right all the same, wherever an
    owner before it was stopped: then it first commits that nothing is allowed. To keep what old and new domains both
    allow it must be told what the machine has, by :meth:`adopt`.

    Parameters
    ----------
    owner : Owner
    limit : int
        Cycles a phase may take.
    keep : Keep, optional
        Whoever keeps what it is given, and what it was given before, can go on after this one was stopped, at any
        step: the machine has one of the two.
    """

    def __init__(self, owner: Owner, *, limit: int = _LIMIT, keep: Keep | None = None) -> None:
        self._owner = owner
        self._limit = limit
        self._keep = keep
        self._banks = TableBanks(owner.shape)
        self._classes = TreeClasses(owner.shape)
        self._settled = False
        self._epoch = 0
        self.current: Domains | None = None
        """What all nodes have committed; None while that is not known."""
        self.revision = 0
        """The revision of `current`; 0 between two, and of domains that were given none."""
        self.faulty: list[CableState] = []
        """Torus cables that have lost packets of an epoch that ended, as last found; see :mod:`khhw.control.links`."""

    @property
    def sums(self) -> list[int] | None:
        """TABLE_CRC of every node, by rank, from which :meth:`adopt` knows `current`; None while that is not known."""
        return None if self.current is None else self._banks.sums(self._epoch)

    def forget_tables(self) -> None:
        """Somebody else has loaded tables, or routes of classes: what they hold is not known any more."""
        self._banks.forget()
        self._classes.forget()

    async def change(
        self, new: Domains, *, revision: int = 0, watch: Watch | None = None, classes: Mapping[int, int] = _BROADCASTS,
    ) -> Change:
        """Make `new` the domains of the machine.

        First all nodes commit what old and new both allow; when they have acknowledged, and no packet of the
        epoch before is left, all commit `new`. So what the new domains refuse is never delivered after the
        first phase, and what both allow is never lost (but for gets that wait over two changes). While the old
        domains are not known, the first phase allows nothing; before the first commit nothing was allowed, and there
        is no such phase. Only words that differ from what a bank held before are written.

        Parameters
        ----------
        new : Domains
        revision : int
            The number by which :meth:`adopt` finds `new` again, 32 bits. Domains of a first phase bear 0.
        watch : Watch, optional
        classes : mapping of int to int, optional
            Of each node whose texts (CONSOLE_CLASS) do not go to all: their class, by rank. Nothing else uses these
            classes from now on. Their routes lead to whomever one of these nodes may send to, and outside: behind the
            first phase and before the last commit, so that no text is lost that both old and new domains allow, and
            the way to those who hear no more is closed. To have another class than before, a node is told so
            afterwards; or in hold.

        Raises
        ------
        EpochError
            If a phase does not end: `limit` cycles and a few questions after its commit at the latest, and 20,000
            cycles and a few questions after the last packet that it waits for has moved if a torus cable has stalled.
            Names the nodes or the sums, and every torus cable that has lost something (:mod:`khhw.control.links`).
        DomainError
            If `new` is of another number of nodes, or there is no such revision.
        """
        check_change(self._owner.shape.nodes, new, revision, classes)
        self._classes.reserve(classes)
        started = loaded = refused = self._owner.outside.now
        committed = await self._settle()
        if committed:
            loaded, refused = await self._phase(self._known() & new, watch=watch)
        await self._last_phase(new, revision, watch, classes)
        return Change(started, loaded, refused, self._owner.outside.now, 2 if committed else 1)

    async def hand_over(
        self, ranks: Iterable[int], new: Domains, keys: Mapping[int, ConsoleKeys], revision: int = 0, *,
        vacant: Collection[int] = (), watch: Watch | None = None, classes: Mapping[int, int] = _BROADCASTS,
    ) -> Change:
        """Take nodes from their tenants, and give them to the next ones with `new` as the domains of the machine.

        The nodes are held; the hardware takes from them all that the next tenant could read or inherit. For two whole
        changes of domains nobody may talk to them, then `new` is committed and they are released. So what the tenants
        before have sent is refused where it still waits in the torus, and is stale in the tree: there are
        :data:`~rtl.formats.STALE_COMMITS` commits between the last text and the release, whatever was known before.

        All values are absolute: a new owner who was stopped, or knows of one that was, calls this again.

        Parameters
        ----------
        ranks : iterable of int
            The nodes, whether they are in hold already or not.
        new : Domains
        keys : mapping of int to ConsoleKeys
            Console keys of the next tenants, by rank. A node without any sends on channel 0, and hears nothing.
        vacant : collection of int
            Those of the nodes that nobody gets: they are cleared, and stay in hold.
        revision, watch, classes
            As of :meth:`change`; a class of `keys` is one of `classes`.

        Returns
        -------
        Change
            `refused` is when nothing more is delivered to or from these nodes.

        Raises
        ------
        EpochError
            As :meth:`change`; or if a hold does not end.
        DomainError
            As :meth:`change`; or if there is no such node or key. Nothing has been done then.
        """
        taken = sorted(set(ranks))
        check_change(self._owner.shape.nodes, new, revision, classes)
        check_hand_over(self._owner.shape.nodes, taken, keys, vacant, classes)
        self._classes.reserve(classes)
        apart = new.matrix.copy()
        apart[taken, :] = apart[:, taken] = False
        alone = Domains(apart, new.leases)

        started = self._owner.outside.now
        await check_room(self._owner, keys)
        await self._owner.write_each({
            rank: [Write.fields("HOLD", hold=1, clear=1), *(keys[rank].writes if rank in keys else ())]
            for rank in taken})
        await self._settle()
        loaded, refused = await self._phase(self._known() & alone, watch=watch)
        for _ in range(STALE_COMMITS - 2):
            await self._phase(alone, watch=watch)
        await self._last_phase(new, revision, watch, classes)
        await self._end_hold(taken, vacant)
        return Change(started, loaded, refused, self._owner.outside.now, STALE_COMMITS)

    async def adopt(
        self, domains: Domains, revision: int, sums: Sequence[int] | None = None,
        classes: Mapping[int, int] = _BROADCASTS,
    ) -> list[int]:
        """Take charge of a machine that runs with `domains`, as an owner does that was started again.

        Parameters
        ----------
        domains : Domains
            What the machine should have. Between two revisions that is what both allow.
        revision : int
            With which it was committed; 0 between two.
        sums : sequence of int, optional
            Those that belong to them, by rank: what :attr:`sums` was, or `keep` was given. Only tables that were loaded
            whole are known without. It is the sums that are compared with the hardware; that they belong to `domains`
            is taken for granted.
        classes : mapping of int to int, optional
            Of texts, as of the change before. Whether their routes are right is found out by the next one.

        Returns
        -------
        list of int
            Ranks in hold. Those that were being handed over are, and need it again.

        Raises
        ------
        AdoptError
            If a node has committed something else; names every one, and what it has. Nothing is known then.
        DomainError
            As :meth:`change`.
        """
        shape = self._owner.shape
        check_change(shape.nodes, domains, revision, classes)
        if sums is None:
            sums = [table_crc(table_writes(domains, shape, rank, revision)) for rank in range(shape.nodes)]
        if len(sums) != shape.nodes:
            raise DomainError(("sums",), f"{len(sums)} sums for a machine of {shape.nodes} nodes")
        self.current, self.revision, self._settled = None, 0, False
        self.forget_tables()
        self._classes.led(classes)
        answers = await self._owner.execute(None, [Control(ControlOp.READ, REGISTERS[name].at()) for name in _FOUND])
        differ: dict[int, str] = {}
        held = []
        for rank in range(shape.nodes):
            found, crc, status, hold = (word.data for word in answers[rank])
            wanted, state = sums[rank], REGISTERS["GUARD_STATUS"].unpack(status)
            self._epoch = state["epoch"]
            if not state["valid"]:
                differ[rank] = "no tables were committed"
            elif found != revision:
                differ[rank] = f"revision {found}, not {revision}"
            elif crc != wanted:
                differ[rank] = f"other tables of revision {revision}: TABLE_CRC is {crc:#010x}, not {wanted:#010x}"
            if REGISTERS["HOLD"].unpack(hold)["hold"]:
                held.append(rank)
        if differ:
            raise AdoptError(differ)
        self.current, self.revision = domains, revision
        self._banks.holds(self._epoch, domains, sums)
        return held

    async def read_routes(self) -> list[tuple[int, ...]]:
        """CLASS_ROUTE of :data:`~khhw.control.tree_classes.ROUTED_CLASSES` at every node, by rank.

        What differs from what it should be, the next change sets right.
        """
        words = [Control(ControlOp.READ, REGISTERS["CLASS_ROUTE"].at(number)) for number in ROUTED_CLASSES]
        answers = await self._owner.execute(None, words)
        found = [tuple(word.data for word in answers[rank]) for rank in range(self._owner.shape.nodes)]
        self._classes.found(found)
        return found

    async def _last_phase(
        self, new: Domains, revision: int, watch: Watch | None, classes: Mapping[int, int],
    ) -> None:
        """Lead texts to whom `new` allows, then commit it."""
        await self._write(self._classes.lead(new.matrix, classes))
        await self._phase(new, revision, watch)
        self._classes.led(classes)

    def _known(self) -> Domains:
        """What is surely allowed now."""
        return self.current or Domains.nothing(self._owner.shape.nodes)

    async def _phase(self, domains: Domains, revision: int = 0, watch: Watch | None = None) -> tuple[int, int]:
        """All of one phase; the cycles in which its tables were loaded and in which all had acknowledged it."""
        loaded, parity = await self._commit(domains, revision)
        acknowledged = self._owner.outside.now
        if watch is not None:
            await watch(Moment.ACKNOWLEDGED, domains)
        await self._balanced(parity)
        self._settled = True
        if watch is not None:
            await watch(Moment.BALANCED, domains)
        return loaded, acknowledged

    async def _commit(self, domains: Domains, revision: int) -> tuple[int, int]:
        """Commit, until all have drained; the cycle in which the tables were loaded, the parity that ends."""
        owner, ending = self._owner, self._epoch
        load = self._banks.load(1 - ending, domains, revision, self._classes)
        await self._write(load.routes, load)
        self._banks.loaded(load)
        await self._drained()
        loaded = owner.outside.now
        if self._keep is not None:
            await self._keep(domains, revision, load.sums)
        # Whoever is stopped in these lines does not know what the machine has.
        self.current, self.revision, self._settled = None, 0, False
        try:
            await owner.write(None, Write("COMMIT", 1))
        except RefusedError as error:
            states = await owner.read_all_fields("GUARD_STATUS")
            odd = [rank for rank, state in enumerate(states) if state["epoch"] == ending]
            raise EpochError(f"{error}: {named(odd)}; a fabric reset is needed") from None
        self.current, self.revision, self._epoch = domains, revision, 1 - ending
        await self._drained(load.sums)
        return loaded, ending

    async def _write(self, routes: Routes, load: Load | None = None) -> None:
        """Set routes of classes, which nobody is asked by; then load tables, in part by them."""
        try:
            await self._owner.write_each(routes.each, routes.first)
            self._classes.loaded(routes)
            if load is not None:
                await self._owner.write_each(load.each, load.first, load.groups)
        except BaseException:
            # Answers for a class may be under way, and its routes must not change before: first all are asked.
            self._classes.forget()
            self._settled = False
            raise

    async def _settle(self) -> bool:
        """Wait until the commit before has ended, whoever made it; whether there was one."""
        if self._settled:
            return True
        committed, self._epoch = await self._drained()
        if committed:
            await self._balanced(1 - self._epoch)
        self._settled = committed
        return committed

    def _watch_cables(self) -> CableWatch:
        return CableWatch(self._owner, min(_STILL, self._limit // 4))

    async def _drained(self, sums: Sequence[int] | None = None) -> tuple[bool, int]:
        """Wait until all nodes have drained; whether they have committed anything, and the parity of their epoch.

        With `sums` all nodes must have what was loaded: these are its checksums, by rank.
        """
        start = self._owner.outside.now
        cables = self._watch_cables()
        status = REGISTERS["GUARD_STATUS"]
        while True:
            *answers, total = await self._owner.combined(
                [Control(op, status.at()) for op in (ControlOp.ALL, ControlOp.READ)]
                + [Control(ControlOp.SUM, REGISTERS["TABLE_CRC"].at())])
            every, some = (status.unpack(word.data) for word in answers)
            if every["drained"]:
                break
            # What a guard has let in, and is not finished, lacks its end.
            endless = await cables.look() and any(state.endless for state in cables.states)
            took = self._owner.outside.now - start
            if endless or took > self._limit:
                states = await self._owner.read_all_fields("GUARD_STATUS")
                if waiting := [rank for rank, state in enumerate(states) if not state["drained"]]:
                    raise EpochError(f"{named(waiting)}: not drained after {took} cycles; {cables.words}")
            await self._owner.outside.sleep(_POLL)
        if any(every[field] != some[field] for field in ("valid", "epoch")):
            states = await self._owner.read_all_fields("GUARD_STATUS")
            commits = [(state["valid"], state["epoch"]) for state in states]
            odd = [rank for rank, commit in enumerate(commits) if commit != commits[0]]
            raise EpochError(f"{named(odd)} and node 0 have not made the same commits; a fabric reset is needed")
        if sums is not None and total.data != sum(sums) % _MODULUS:
            await self._look_for_others(sums)
        return bool(every["valid"]), every["epoch"]

    async def _look_for_others(self, sums: Sequence[int]) -> None:
        """Name the nodes that have committed other tables than were loaded; what they allow is not known."""
        self.current, self.revision = None, 0
        self.forget_tables()
        odd = [rank for rank, (found, wanted) in enumerate(
            zip(await self._owner.read_all("TABLE_CRC"), sums, strict=True)) if found != wanted]
        raise EpochError(f"{named(odd)}: other tables than were loaded. Change the domains again: that loads all words")

    async def _balanced(self, parity: int) -> None:
        """Wait until no packet of the epoch with this parity is left in the machine.

        What cables have lost is not left in it. Where something is left, and stands still because a cable has stalled,
        that is an error; where it waits for other traffic, not before the limit.
        """
        start = self._owner.outside.now
        cables = self._watch_cables()
        while left := await self._left(parity):
            stalled = False
            if await cables.look() and cables.still(parity):
                if left == cables.lost(parity) % _MODULUS:
                    self.faulty = cables.faulty
                    return
                stalled = any(state.stalled for state in cables.states)
            took = self._owner.outside.now - start
            if stalled or took > self._limit:
                left = (left - cables.lost(parity)) % _MODULUS
                raise EpochError(
                    f"{left} packets of epoch parity {parity} are still under way after {took} cycles; {cables.words}")
            await self._owner.outside.sleep(_POLL)

    async def _left(self, parity: int) -> int:
        """Packets of an epoch parity that have been sent, and ended nowhere."""
        injected, *ended = await self._owner.combined(
            [Control(ControlOp.SUM, REGISTERS[name].at(parity)) for name in _COUNTERS])
        return (injected.data - sum(word.data for word in ended)) % _MODULUS

    async def _end_hold(self, ranks: list[int], vacant: Collection[int]) -> None:
        """Let nodes out of hold but for vacant ones, and wait until it has ended, or nothing keeps it from ending."""
        await self._owner.write_each({rank: [Write("HOLD", 0)] for rank in ranks if rank not in vacant})
        end = self._owner.outside.now + self._limit
        hold = REGISTERS["HOLD"]
        while True:
            answers = await self._owner.read_each({rank: [Control(ControlOp.READ, hold.at())] for rank in ranks})
            waiting = [rank for rank, (value, ) in answers.items()
                       if hold.unpack(value)["clear" if rank in vacant else "hold"]]
            if not waiting:
                return
            if self._owner.outside.now > end:
                raise EpochError(f"{named(waiting)}: hold does not end within {self._limit} cycles; the memory is not "
                                 "cleared or owes an answer, or a console packet stays")
            await self._owner.outside.sleep(_POLL)
