"""Properties of the owner's path: who can change what a guard enforces."""

from amaranth.hdl import Cat, Const, Module, Mux, ResetSignal, Signal, Value
from amaranth.hdl._ast import AnyConst  # has no public name in Amaranth 0.5
from amaranth.lib import data
from amaranth.lib.wiring import In, connect, flipped

from formal.harness import PARAMETERS, Harness
from rtl.formats import STALE_COMMITS, Flit, LinkHeader, Protocol, TreeHeader
from rtl.guard.control import GuardControl
from rtl.registers import REGISTERS
from rtl.signatures import FlitStream, RegisterBus
from rtl.tree.console import ConsoleFilter, ConsoleStamp
from rtl.tree.store import PacketStore

__all__ = ["ConsoleStampHarness", "OwnerHarness", "StampHarness", "StoreHarness"]


class OwnerHarness(Harness):
    """The guard's registers under any accesses of owner and host, whatever the counters and the log say."""

    ports = {"owner": In(RegisterBus), "host": In(RegisterBus), "drained": In(1), "unfinished": In(1),
             "meter_done": In(1), "peek_lasting": In(1)}
    peeks = {"peek_lasting": "dut.lasting"}
    properties = {
        "owner-writes": "tables, reaches, revisions, epoch, hold (but its end), grants, console keys, class, routes of "
                        "classes and the log change only in the cycle in which a write of the owner is answered "
                        "without an error",
        "owner-meter": "a snapshot of the meter begins only with a write of the owner, with the tag written",
        "owner-commit": "the epoch changes only by a write to COMMIT while everything has drained",
    }

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = GuardControl(PARAMETERS)
        connect(m, flipped(self.owner), dut.owner)
        connect(m, flipped(self.host), dut.host)
        m.d.comb += [dut.drained.eq(self.drained), dut.unfinished.eq(self.unfinished)]
        wrote = Signal()
        drained = Signal(reset_less=True)
        was_reset = Signal(reset_less=True, init=1)
        wrote_before = Signal(reset_less=True)
        m.d.comb += wrote.eq(self.owner.valid & self.owner.write & self.owner.done & ~self.owner.error)
        m.d.sync += [wrote_before.eq(wrote), drained.eq(self.drained), was_reset.eq(ResetSignal())]

        # What is done in a cycle, for others to see.
        policy = dut.policy
        m.d.comb += dut.meter.done.eq(self.meter_done)
        self.claim(m, "owner-meter", ~dut.meter.snapshot | (wrote & (dut.meter.tag == self.owner.data) & (
            self.owner.address == REGISTERS["METER_SNAPSHOT"].address)))
        tables = policy.row_write, policy.column_write, policy.shared_write
        for strobe in (*tables, dut.commit, dut.log_clear, dut.clear):
            self.claim(m, "owner-writes", ~strobe | wrote)
        # What the owner asks to be held is held at once; it may last longer, but never begins without the owner.
        held = Signal(reset_less=True)
        m.d.sync += held.eq(policy.hold)
        self.claim(m, "owner-writes", ~dut.hold | policy.hold)
        self.claim(m, "owner-writes", was_reset | wrote_before | held | ~policy.hold)
        self.help(m, was_reset | (self.peek_lasting == held))
        state = {
            "valid": policy.valid, "epoch": policy.epoch, "hold": dut.hold, "priority": policy.priority,
            "reach": policy.reach, "commits": dut.commits, "bank_0": dut.reaches[0], "bank_1": dut.reaches[1],
            "revision_0": dut.revisions[0], "revision_1": dut.revisions[1],
            "console_class": dut.console_class, "class_routes": dut.class_routes,
            "send_id": dut.send_id, "receive_ids": dut.receive_ids, "receive_valid": dut.receive_valid,
        }
        for name, signal in state.items():
            before = Signal(len(Value.cast(signal)), name=f"{name}_before", reset_less=True)
            m.d.sync += before.eq(signal)
            unchanged = Value.cast(signal) == before
            self.claim(m, "owner-writes", was_reset | wrote_before | unchanged)
            if name in ("valid", "epoch", "commits"):
                commit = Signal(name=f"commit_before_{name}", reset_less=True)
                m.d.sync += commit.eq(wrote & (self.owner.address == REGISTERS["COMMIT"].address) & self.drained)
                self.claim(m, "owner-commit", was_reset | commit | unchanged)
        return m


class ConsoleStampHarness(Harness):
    """What stands between a network interface and the tree, fed any flits in any order."""

    ports = {
        "i": In(FlitStream), "o_ready": In(1), "node_id": In(16), "rank": In(16), "send_id": In(32),
        "tree_class": In(4), "epoch": In(8), "peek_position": In(2),
    }
    peeks = {"peek_position": "dut.position"}
    properties = {
        "tree-stamp": "every header a node sends into the tree bears its node id, its class and its count of commits "
                      "and neither stamp of the outside, the keys behind it are its send id and rank, the protocol the "
                      "console's",
    }

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = ConsoleStamp()
        connect(m, flipped(self.i), dut.i)
        for name in ("node_id", "rank", "send_id", "tree_class", "epoch"):
            m.d.comb += getattr(dut, name).eq(getattr(self, name))
        m.d.comb += dut.o.ready.eq(self.o_ready)

        # Flits since the last header, up to three: a header is what is marked first, and what comes after a reset.
        position = Signal(2)
        with m.If(dut.o.valid & dut.o.ready):
            m.d.sync += position.eq(Mux(dut.o.payload.first, 1, Mux(position == 3, 3, position + 1)))
        header = data.View(TreeHeader, dut.o.payload.data)
        sent, head = dut.o.valid, dut.o.payload.first | (position == 0)
        right = ((header.source == self.node_id) & (header.tree_class == self.tree_class)
                 & (header.epoch == self.epoch) & ~header.owner & ~header.external)
        self.claim(m, "tree-stamp", ~(sent & head) | right)
        keys = Cat(self.rank, Const(0, 16), self.send_id)
        self.claim(m, "tree-stamp", ~sent | head | (position != 1) | (dut.o.payload.data == keys))
        at = LinkHeader["protocol"].offset
        named = dut.o.payload.data[at:at + 16]
        self.claim(m, "tree-stamp", ~sent | head | (position != 2) | (named == Protocol.CONSOLE))
        self.help(m, self.peek_position == position)
        return m


class StampHarness(Harness):
    """The endpoint's filter, fed any flits in any order."""

    ports = {
        "valid": In(1), "flit": In(Flit), "node_id": In(16), "receive_ids": In(32), "receive_valid": In(1),
        "hold": In(1), "tree_allowed": In(1), "tree_epoch": In(8),
        "peek_index": In(2), "peek_owner": In(1), "peek_external": In(1), "peek_found": In(16), "peek_epoch": In(8),
    }
    peeks = {
        f"peek_{name}": f"dut.{name}" for name in ("index", "owner", "external", "found", "epoch")
    }
    properties = {
        "owner-stamp": "a control packet is accepted only if its header bears the stamps of the outside and of the "
                       "owner and its link header says it is one",
        "console-column": "a console packet that did not come from outside is accepted only if the column permits "
                          "the source in its header",
        "console-stale": "a console packet that did not come from outside is accepted only if it was stamped less than "
                         "STALE_COMMITS commits before its last flit comes, or one after, by the whole count",
    }

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = ConsoleFilter(PARAMETERS)
        for name in sorted(set(self.ports) - set(self.peeks)):
            m.d.comb += getattr(dut, name).eq(getattr(self, name))

        header = Signal(TreeHeader)
        protocol = Signal(16)
        found = Signal(16)
        index = Signal(2)
        offset = LinkHeader["protocol"].offset
        now = self.flit.data[offset:offset + 16]
        with m.If(self.valid):
            with m.If(self.flit.first):
                m.d.sync += [header.eq(self.flit.data), index.eq(1)]
            with m.Elif(index == 1):
                m.d.sync += index.eq(2)
            with m.Elif(index == 2):
                m.d.sync += [found.eq(now), index.eq(3)]
        m.d.comb += protocol.eq(Mux(index == 2, now, found))

        self.claim(m, "owner-stamp", ~dut.control | (
            header.owner & header.external & (protocol == Protocol.CONTROL) & ~self.flit.first))
        self.claim(m, "console-column", ~dut.console | header.external | (
            self.tree_allowed & (dut.tree_source == header.source)))
        stamps = (header.epoch == (self.tree_epoch - age)[:8] for age in range(-1, STALE_COMMITS))
        self.claim(m, "console-stale", ~dut.console | header.external | Cat(stamps).any())
        self.help(m, dut.tree_source == header.source)
        self.help(m, self.peek_index == index)
        self.help(m, self.peek_epoch == header.epoch)
        self.help(m, (self.peek_owner == header.owner) & (self.peek_external == header.external))
        self.help(m, (index != 3) | (self.peek_found == found))
        return m


class StoreHarness(Harness):
    """The store behind the endpoint's filter, fed any flits, and one slot of it watched."""

    ports = {
        "i": In(FlitStream), "accept": In(1), "abort": In(1), "o_ready": In(1),
        "peek_committed": In(7), "peek_fetched": In(7), "peek_count": In(6), "peek_words": In(6),
        "peek_collecting": In(1),
    }
    peeks = {f"peek_{name}": f"dut.{name}" for name in ("committed", "fetched", "count", "words", "collecting")}
    properties = {
        "store-accepted": "every flit the store gives out came in with a packet that was accepted with its last flit",
    }

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = PacketStore(64)
        connect(m, flipped(self.i), dut.i)
        m.d.comb += [dut.accept.eq(self.accept), dut.abort.eq(self.abort), dut.o.ready.eq(self.o_ready)]
        committed = self.peek_committed
        fetched = self.peek_fetched

        # The watched slot: does it hold a flit of the packet that is coming in, or of one that was accepted.
        slot = Signal(6)
        coming = Signal()
        accepted = Signal()
        distance = Signal(7)
        level = Signal(7)
        transfer = dut.i.valid & dut.i.ready
        first = dut.i.payload.first
        offset = Mux(first, committed, committed + self.peek_count)[:6]
        writes = Signal()
        m.d.comb += [
            slot.eq(AnyConst(6)),
            level.eq(committed - fetched),
            distance.eq((slot - fetched)[:6]),
            writes.eq(transfer & (first | self.peek_collecting) & (offset == slot)),
        ]
        with m.If(dut.kept):
            m.d.sync += [coming.eq(0), accepted.eq(Mux(coming | writes, self.accept, accepted))]
        with m.Elif(writes):
            m.d.sync += [coming.eq(1), accepted.eq(0)]
        with m.Elif(transfer & first):
            m.d.sync += coming.eq(0)

        # What is given away was accepted, if it was in the watched slot.
        given = Signal()
        with m.If(~dut.o.valid | self.o_ready):
            m.d.sync += given.eq((level == 0) | (fetched[:6] != slot) | accepted)
        self.claim(m, "store-accepted", ~dut.o.valid | given)
        self.help(m, (distance >= level) | accepted)
        self.help(m, level <= 64)
        self.help(m, ~self.peek_collecting | (
            (self.peek_count >= 1) & (self.peek_count <= self.peek_words) & (self.peek_words <= 32) & dut.i.ready))
        ahead = Signal(7)
        m.d.comb += ahead.eq((slot - committed)[:6])
        self.help(m, ~self.peek_collecting | (ahead >= self.peek_count) | coming)
        return m
