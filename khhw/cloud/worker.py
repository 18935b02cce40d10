"""What makes the machine hold what the store says: the second and the third transaction of every change.

The machine gets absolute values, with a number; so whatever was cut off in between is asked for again, and nothing
comes of it but the answer.
"""

import sqlite3
import time
from collections.abc import Iterable

from khhw.cloud.agreement import differences
from khhw.cloud.crash import crash_point
from khhw.cloud.errors import CloudError
from khhw.cloud.ledger import Ledger, Transaction
from khhw.cloud.machine import Applied, Clock, Machine, MachineError, RequestRefusedError
from khhw.cloud.matrix import kept
from khhw.cloud.plans import Plan, settle
from khhw.cloud.progress import Progress
from khhw.cloud.readings import keep, there
from khhw.cloud.times import as_text

__all__ = ["Worker"]

_NOTED_SECONDS = 5.0
"""How often machine time is written down while nothing else is: what both a machine and a service may lose of it, that
end together."""
_REPAIRS = 2
"""Attempts to make a machine agree that holds something else: its tables, then nodes too."""


class Worker:
    """Carries out intents, lets leases end, and finds power cuts.

    Parameters
    ----------
    ledger : Ledger
    machine : Machine
    progress : Progress
    """

    def __init__(self, ledger: Ledger, machine: Machine, progress: Progress) -> None:
        self._ledger = ledger
        self._machine = machine
        self._progress = progress
        self._approved: frozenset[str] | None = None
        self._repairs = 0
        self._agreed = False
        self._noted = 0.0

    def step(self) -> bool:
        """Do what is to be done now; whether anything was."""
        clock = self._ledger.clock
        try:
            now = self._machine.connect()
            done = self._new_boot(now)
            clock.heard(now)
            self._note()
            self._approve()
            done = self._expire() or done
            done = self._carry_out() or self._agree() or done
            clock.trouble(None)
            return done
        except MachineError as error:
            clock.trouble(str(error), silent=not self._machine.alive)
            self._agreed = False
            self._tell(str(error))
        except CloudError as error:
            clock.trouble(error.sentence)
        return False

    def switch_off(self) -> list[int]:
        """Keep what leases have used of their nodes in this boot, and end the machine.

        Changes that are on their way are carried out before: if the machine holds one already, what nodes have counted
        since belongs to the leases of behind it. Whatever is cut off in between may be done again: as long as the
        machine runs, a later reading takes the place of the one that was kept.

        Returns
        -------
        list of int
            Ranks that were read.

        Raises
        ------
        MachineError
            If a node or the machine does not answer; the machine has not been switched off.
        """
        now, read = self._machine.clock(), list[int]()
        # Of a boot that the store does not know no lease has had anything.
        if now.boot == self._ledger.clock.boot:
            self._ledger.clock.heard(now)
            while self._carry_out():
                pass
            read = self._keep_use(now)
        crash_point()
        self._machine.switch_off()
        return read

    def _keep_use(self, now: Clock) -> list[int]:
        """Read all nodes that a lease has, and keep what they say."""
        with self._ledger.store.read() as db:
            leases = {rank: lease for rank, (lease, _) in there(db, now.boot).items()}
        if not leases:
            return []
        # No question that was asked before this cycle has its number.
        found = self._machine.read(now.cycle, sorted(leases))
        crash_point()
        self._ledger.clock.heard(max(reading.clock for reading in found))
        with self._ledger.transaction() as tx:
            applied, = tx.db.execute("SELECT applied FROM meta").fetchone()
            for reading in found:
                keep(tx.db, applied, "off", leases[reading.rank], reading)
            tx.note("off", {"nodes": sorted(leases)}, f"read, to be switched off, in boot {now.boot}")
        return sorted(leases)

    def _new_boot(self, now: Clock) -> bool:
        """A machine that was switched on holds nothing: leases stay, what was in their nodes is lost."""
        known = self._ledger.clock.boot
        if now.boot == known:
            return False
        if now.boot < known:
            raise MachineError(f"the machine says that this is boot {now.boot}, but boot {known} was before; its state "
                               "folder is not the one of this store")
        with self._ledger.transaction() as tx:
            self._ledger.clock.begin(tx.db, now)
            tx.db.execute("UPDATE meta SET asked = applied")
            # Where something was on its way out of a lease, the power cut has ended that.
            tx.db.execute("UPDATE hand_over SET before = NULL WHERE NOT done AND before IS NOT after")
            plan = Plan(tx)
            _again(tx, plan, _held(tx.db))
            plan.finish("power on", always=True)
            tx.note("power on", {"boot": now.boot}, "all nodes of leases are handed over again")
        with self._ledger.store.read() as db:
            self._ledger.clock.recall(db)
        self._approved, self._agreed, self._repairs = None, False, 0
        return True

    def _note(self) -> None:
        if time.monotonic() - self._noted > _NOTED_SECONDS:
            with self._ledger.store.write() as db:
                self._ledger.clock.note(db)
            self._noted = time.monotonic()

    def _approve(self) -> None:
        """Tell the machine what may boot, if it does not know."""
        with self._ledger.store.read() as db:
            approved = frozenset(row["sha256"] for row in db.execute("SELECT sha256 FROM approval"))
        if approved != self._approved:
            self._machine.approve(approved)
            self._approved = approved

    def _expire(self) -> bool:
        """Let leases end whose time is over."""
        over = ("SELECT uuid FROM lease WHERE live AND (end_cycle <= ? OR until <= ?) ORDER BY serial",
                (self._ledger.clock.cycles, as_text(self._ledger.wall())))
        with self._ledger.store.read() as db:
            leases = [row["uuid"] for row in db.execute(*over)]
        for lease in leases:
            with self._ledger.transaction() as tx:
                # It may have ended meanwhile, with the one it was a part of, or been extended.
                if any(row["uuid"] == lease for row in tx.db.execute(*over)):
                    plan = Plan(tx)
                    plan.end(lease, "wait expire")
                    plan.finish("expire", lease=lease)
                    tx.note("expire", {"lease": lease}, "its time was over")
        return bool(leases)

    def _carry_out(self) -> bool:
        """Make the machine hold the last revision, and with it all before that it has not had.

        But first the one it was told last, if it has not acknowledged that: it may have carried it out, and what it has
        read of nodes that changed hands then is in its answer to that number alone.
        """
        with self._ledger.store.read() as db:
            last, applied, asked = db.execute("SELECT revision, applied, asked FROM meta").fetchone()
            if last == applied:
                return False
            last = asked if asked > applied else last
            change_hands = frozenset(row["rank"] for row in db.execute(
                "SELECT rank FROM hand_over WHERE NOT done AND revision <= ?", (last, )))
            revision = kept(db, last, self._ledger.info).revision(last, change_hands)
        if last != asked:
            with self._ledger.store.write() as db:
                db.execute("UPDATE meta SET asked = ?", (last, ))
        self._progress.running = range(applied + 1, last + 1)
        try:
            crash_point()
            done = self._machine.apply(revision)
            crash_point()
        except RequestRefusedError:
            if not self._overtake(last):
                raise
            return True
        finally:
            self._progress.running = range(0)
        self._ledger.clock.heard(done.finished)
        # After a power cut in between this is worth nothing; the next step finds that.
        if done.finished.boot == self._ledger.clock.boot:
            self._acknowledge(done, applied)
        return True

    def _acknowledge(self, done: Applied, applied: int) -> None:
        """The machine has it: nodes and leases that were on their way have arrived."""
        with self._ledger.transaction() as tx:
            db, last = tx.db, done.number
            readings = {reading.rank: reading for reading in done.readings}
            for row in db.execute("SELECT * FROM hand_over WHERE NOT done AND revision <= ?", (last, )).fetchall():
                reading = readings.get(row["rank"])
                ends = row["before"] if row["before"] != row["after"] else None
                for moment, lease in (("end", ends), ("begin", row["after"])):
                    if lease is not None and reading is not None:
                        keep(db, row["revision"], moment, lease, reading)
            db.execute("UPDATE hand_over SET done = 1 WHERE NOT done AND revision <= ?", (last, ))
            settle(tx, applied + 1, last)
            db.execute("UPDATE intent SET done_at = ?, error = NULL WHERE done_at IS NULL AND revision <= ?",
                       (tx.at, last))
            db.execute("UPDATE meta SET applied = ?", (last, ))
            db.execute("DELETE FROM revision WHERE number < ?", (last, ))
            tx.note("carried out", {"revision": last}, f"revoked in cycle {done.revoked.cycle}, ended in cycle "
                    f"{done.finished.cycle} of boot {done.finished.boot}")

    def _overtake(self, last: int) -> bool:
        """Number what is to be done behind all that the machine has: the store is older than it."""
        highest = max(state.revision for state in self._machine.nodes())
        if highest < last:
            return False
        with self._ledger.transaction() as tx:
            # Revisions that were made meanwhile stay in front of the new one.
            tx.db.execute("UPDATE meta SET revision = max(revision, ?), asked = applied", (highest, ))
            plan = Plan(tx)
            _again(tx, plan, _held(tx.db))
            plan.finish("overtake", always=True)
            tx.note("overtake", {"revision": highest}, "the machine had revisions that the store does not know")
        return True

    def _agree(self) -> bool:
        """Find out, once for each connection, whether the machine holds what it has acknowledged; else make it so."""
        if self._agreed:
            return False
        ledger = self._ledger
        with ledger.store.read() as db:
            number, = db.execute("SELECT applied FROM meta").fetchone()
            revision = kept(db, number, ledger.info).revision(number, frozenset())
        differ = differences(revision, self._machine.nodes(), ledger.info.shape)
        if not differ:
            self._agreed, self._repairs = True, 0
            return False
        if self._repairs >= _REPAIRS:
            raise MachineError("the machine does not hold what it was told: "
                               + "; ".join(f"node {rank}: {what}" for rank, what in sorted(differ.items())))
        with ledger.transaction() as tx:
            plan = Plan(tx)
            if self._repairs:
                # Tables were made right already: these are channels and holds, which only a hand-over sets.
                _again(tx, plan, differ)
            plan.finish("repair", always=True)
            tx.note("repair", {"revision": number, "nodes": sorted(differ)}, "the machine held something else")
        self._repairs += 1
        return True

    def _tell(self, error: str) -> None:
        """Those who wait see why."""
        try:
            with self._ledger.store.read() as db:
                known = db.execute("SELECT 1 FROM intent WHERE done_at IS NULL AND error IS NOT ?",
                                   (error, )).fetchone()
            if known:
                with self._ledger.store.write() as db:
                    db.execute("UPDATE intent SET error = ? WHERE done_at IS NULL", (error, ))
        except CloudError:
            # The store has its own trouble; the next step tries again.
            return


def _held(db: sqlite3.Connection) -> set[int]:
    """Nodes that are leased."""
    return {row["rank"] for row in db.execute("SELECT rank FROM lease_node WHERE gone IS NULL AND leaf")}


def _again(tx: Transaction, plan: Plan, ranks: Iterable[int]) -> None:
    """Nodes are handed over to those who have them, or to nobody, and lose what is in them."""
    for rank in sorted(ranks):
        row = tx.db.execute("SELECT lease, state FROM node LEFT JOIN lease_node n ON n.rank = node.rank "
                            "AND gone IS NULL AND leaf WHERE node.rank = ?", (rank, )).fetchone()
        plan.hand_over(rank, row["lease"], row["lease"], "cold" if row["state"] == "ready" else None)
