"""The guard's registers: what the owner may set, what owner and tenant may read."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from rtl.formats import TreeClass
from rtl.guard.checksum import TableChecksum
from rtl.guard.counters import EPOCH_COUNTERS
from rtl.guard.links import LinkState
from rtl.guard.log import LogEntry
from rtl.guard.policy import HOP_BITS, policy_signature
from rtl.guard.table import Plane
from rtl.meter import MeterPort
from rtl.one_hot import gather
from rtl.parameters import Parameters
from rtl.register_bits import register_value, register_view
from rtl.registers import GUARD_END, GUARD_PAGE, REGISTERS, Access
from rtl.signatures import DIRECTIONS, RegisterBus
from rtl.tree.routing import CLASSES, FIXED_ROUTES, ClassRoutes

__all__ = ["GuardControl"]

_READABLE = {Access.RW, Access.RO, Access.W1C}
_WRITABLE = {Access.RW, Access.WO, Access.W1C}


class GuardControl(wiring.Component):
    """Serves the owner's and the host's register accesses and keeps what the owner decided.

    Decoding and rights come from :data:`~rtl.registers.REGISTERS`. An access is done one cycle after it is
    taken, or when the meter answers; the owner's goes first, also before one of the host that waits for the meter, and
    the host's are not taken in `hold`.

    Parameters
    ----------
    parameters : Parameters

    Members
    -------
    owner, host : In(RegisterBus)
    policy : Out(policy_signature)
    commit : Out(1)
        The tables are switched at the end of this cycle.
    commits : Out(8)
        Commits since the fabric reset, modulo 256.
    drained : In(1)
        Without it a commit is an error.
    clear : Out(1)
        The node memory is to be set to 0; `policy.hold` is 1 from the next cycle on.
    vacant : Out(1)
        From `clear` to the end of the hold: what is refused is nobody's to read.
    unfinished : In(1)
        `policy.hold` does not end.
    send_id, receive_ids, receive_valid, console_class, class_routes : Out
        Of the tree, see :func:`~rtl.signatures.guard_signature`.
    refused : In, array of 16 counts
    epochs : In, array of 4 x 2 counts
        As :class:`~rtl.guard.counters.GuardCounters` has them.
    links : In, array of 6 LinkState
        As :class:`~rtl.guard.links.LinkCounters` has them.
    meter : Out(MeterPort)
    log_count, log_lost : In(32)
    log_clear : Out(1)
    log_index : Out(entry index)
    log_entry : In(LogEntry)
        Of the `log_index` of the cycle before.
    busy : Out(1)
        An access is in progress.
    """

    def __init__(self, parameters: Parameters):
        self.parameters = parameters
        super().__init__({
            "owner": In(RegisterBus),
            "host": In(RegisterBus),
            "policy": Out(policy_signature(parameters)),
            "commit": Out(1),
            "commits": Out(8),
            "drained": In(1),
            "clear": Out(1),
            "vacant": Out(1),
            "unfinished": In(1),
            "send_id": Out(32),
            "receive_ids": Out(data.ArrayLayout(32, parameters.receive_ids)),
            "receive_valid": Out(parameters.receive_ids),
            "console_class": Out(4, init=TreeClass.BROADCAST),
            "class_routes": Out(ClassRoutes, init=[FIXED_ROUTES.get(number, 0) for number in range(CLASSES)]),
            "refused": In(data.ArrayLayout(32, 16)),
            "epochs": In(data.ArrayLayout(data.ArrayLayout(32, 2), len(EPOCH_COUNTERS))),
            "links": In(data.ArrayLayout(LinkState, DIRECTIONS)),
            "meter": Out(MeterPort),
            "log_count": In(32),
            "log_lost": In(32),
            "log_clear": Out(1),
            "log_index": Out(range(parameters.log_entries)),
            "log_entry": In(LogEntry),
            "busy": Out(1),
        })
        # What the owner asked; `policy.hold` may last longer.
        self.hold = Signal(init=1)
        self.reaches = [Signal(data.ArrayLayout(HOP_BITS, DIRECTIONS), name=f"reach_{bank}") for bank in range(2)]
        self.revisions = [Signal(32, name=f"revision_{bank}") for bank in range(2)]

    def elaborate(self, _platform: object) -> Module:
        m = Module()
        owner, host = self.owner, self.host

        # One access at a time: chosen in a cycle, done in the next.
        answering = Signal()
        owners_turn = Signal()
        owners = Signal()
        request = Signal(data.StructLayout({"valid": 1, "write": 1, "address": 16, "data": 32}))
        m.d.comb += [
            owners.eq(Mux(answering, owners_turn, owner.valid)),
            request.valid.eq(Mux(owners, owner.valid, host.valid & ~self.policy.hold)),
        ]
        for name in ("write", "address", "data"):
            m.d.comb += request[name].eq(Mux(owners, getattr(owner, name), getattr(host, name)))

        # Which register it is, and whether it is an error.
        hits, indices, permitted = self._decode(m, request.address, owners, request.write)
        error = Signal()
        writes = Signal()
        asked = register_view("HOLD", request.data)
        odd = {"COMMIT": ~self.drained, "HOLD": asked.clear & ~asked.hold,
               "CLASS_ROUTE": indices["CLASS_ROUTE"].matches(*FIXED_ROUTES)}
        m.d.comb += [
            error.eq(~permitted | (request.write & Cat(hits[name] & wrong for name, wrong in odd.items()).any())),
            writes.eq(answering & request.valid & request.write & ~error),
            self.busy.eq(answering | owner.valid | host.valid),
            self.log_index.eq(indices["LOG_NODES"]),
        ]
        # The meter takes its time. The owner does not wait for what a host reads there: that is asked for again.
        metered, done = Signal(), Signal()
        m.d.comb += [
            metered.eq(request.valid & ~request.write & permitted & (hits["METER_READING"] | hits["METER_USED"])),
            done.eq(answering & request.valid & (~metered | self.meter.done)),
            self.meter.read.eq(answering & metered),
            self.meter.tenant.eq(hits["METER_USED"]),
            self.meter.word.eq(Mux(hits["METER_USED"], indices["METER_USED"], indices["METER_READING"])),
            self.meter.snapshot.eq(writes & hits["METER_SNAPSHOT"]),
            self.meter.tag.eq(request.data),
        ]
        m.d.sync += [
            answering.eq(request.valid & ~done & (owners | ~answering | ~owner.valid)),
            owners_turn.eq(owners),
        ]
        self._keep(m, hits, indices, writes, request.data)
        crc = self._sum_up(m, hits, writes, request)
        value = self._value(m, hits, indices, crc)
        for bus, turn in ((owner, owners_turn), (host, ~owners_turn)):
            m.d.comb += [
                bus.done.eq(done & turn),
                bus.error.eq(error),
                bus.value.eq(value & (~error & ~request.write).replicate(32)),
            ]
        return m

    def _decode(self, m, address, owners, write):
        """Find the register of an address: hits and element indices by name, and whether the access is one's right."""
        hits, indices, rights = {}, {}, {}
        for register in REGISTERS.values():
            if not GUARD_PAGE <= register.address < GUARD_END:
                continue
            name = register.name
            hits[name] = hit = Signal(name=f"hit_{name.lower()}")
            found, indices[name] = self._match(address, register)
            m.d.comb += hit.eq(found)
            rights.setdefault((register.owner, register.host), []).append(hit)

        permitted = Signal()
        m.d.comb += permitted.eq(reduce(or_, [
            Cat(*alike).any() & Mux(write, _who(_WRITABLE, right, owners), _who(_READABLE, right, owners))
            for right, alike in rights.items()
        ]))
        # A log entry is four registers, so is a cable; they share the index of the first.
        indices["LOG_NODES"] = (address - REGISTERS["LOG_NODES"].address)[4:4 + len(self.log_index)]
        indices["LINK_SENT"] = (address - REGISTERS["LINK_SENT"].address)[4:7]
        return hits, indices, permitted

    def _match(self, address, register):
        """Whether an address is that of an element of a register, and of which: bits of it, where the base allows."""
        elements, shift = register.elements(self.parameters), register.stride.bit_length() - 1
        bits = (elements - 1).bit_length()
        first = register.address >> shift
        word = address[shift:]
        if first % (1 << bits):
            word = (word - first)[:len(word)]
            first = 0
        index = word[:bits] if bits else Const(0, 1)
        inside = (word[bits:] == first >> bits) & (word[:bits] < elements if elements < 1 << bits else 1)
        return inside & (address[:shift] == register.address % register.stride), index

    def _keep(self, m, hits, indices, writes, value):
        """What a write changes."""
        policy = self.policy
        epoch = Signal()
        priority = Signal()
        valid = Signal()
        lasting = Signal()
        m.d.sync += lasting.eq(policy.hold)
        planes = list(Plane.__members__)
        # What other blocks are told: the active tables, and what is done in this cycle.
        m.d.comb += [
            policy.valid.eq(valid),
            policy.epoch.eq(epoch),
            policy.hold.eq(self.hold | (lasting & self.unfinished)),
            policy.priority.eq(priority),
            policy.reach.eq(Mux(epoch, self.reaches[1].as_value(), self.reaches[0].as_value())),
            policy.write_index.eq(gather(Cat(hits[plane] for plane in planes), [indices[plane] for plane in planes])),
            policy.write_data.eq(value),
            self.commit.eq(writes & hits["COMMIT"]),
            self.clear.eq(writes & hits["HOLD"] & register_view("HOLD", value).clear),
            self.log_clear.eq(writes & hits["LOG_CLEAR"]),
        ]
        for plane in Plane:
            m.d.comb += getattr(policy, f"{plane}_write").eq(writes & hits[plane.name])
        with m.If(self.commit):
            m.d.sync += [valid.eq(1), epoch.eq(~epoch), self.commits.eq(self.commits + 1)]
        # The owner's registers; of reaches and revisions those that are not active.
        for name, field, state in (
            ("HOLD", "hold", self.hold), ("GRANTS", "priority", priority),
            ("CONSOLE_CLASS", "tree_class", self.console_class),
        ):
            with m.If(writes & hits[name]):
                m.d.sync += state.eq(register_view(name, value)[field])
        for name, state in (
            ("CONSOLE_SEND_ID", self.send_id),
            ("CONSOLE_LISTEN", self.receive_valid),
        ):
            with m.If(writes & hits[name]):
                m.d.sync += state.eq(value)
        with m.If(writes & hits["CONSOLE_RECEIVE_ID"]):
            m.d.sync += self.receive_ids[indices["CONSOLE_RECEIVE_ID"]].eq(value)
        with m.If(writes & hits["CLASS_ROUTE"]):
            m.d.sync += self.class_routes[indices["CLASS_ROUTE"]].eq(value)
        for bank, reach in enumerate(self.reaches):
            with m.If(writes & hits["REACH"] & (epoch != bank)):
                m.d.sync += reach[indices["REACH"]].eq(Mux(value[HOP_BITS:].any(), (1 << HOP_BITS) - 1, value))
        for bank, revision in enumerate(self.revisions):
            with m.If(writes & hits["REVISION"] & (epoch != bank)):
                m.d.sync += revision.eq(value)

        # The next tenant inherits nothing the owner granted, and reads nothing of what was refused before it came.
        vacated = Signal()
        m.d.comb += self.vacant.eq(self.clear | (vacated & policy.hold))
        m.d.sync += vacated.eq(self.vacant)
        with m.If(self.clear):
            granted = priority, self.send_id, self.receive_valid, self.receive_ids.as_value()
            m.d.sync += [*(state.eq(0) for state in granted), self.console_class.eq(TreeClass.BROADCAST)]

    def _sum_up(self, m, hits, writes, request):
        """The checksum of the active tables."""
        m.submodules.checksum = checksum = TableChecksum()
        m.d.comb += [
            checksum.write.eq(writes & Cat(
                hits[name] for name in (*Plane.__members__, "REACH", "REVISION")).any()),
            checksum.restart.eq(writes & hits["TABLE_CRC"]),
            checksum.epoch.eq(self.policy.epoch),
            checksum.address.eq(request.address),
            checksum.data.eq(request.data),
        ]
        return checksum.crc

    def _value(self, m, hits, indices, crc):
        """What a read answers."""
        # Each register's value; the one that is hit goes out.
        policy, entry = self.policy, self.log_entry
        link = Signal(LinkState)
        m.d.comb += link.eq(self.links[indices["LINK_SENT"]])
        values = {
            "HOLD": register_value("HOLD", hold=policy.hold, clear=policy.hold & self.unfinished),
            "GUARD_STATUS": register_value(
                "GUARD_STATUS", valid=policy.valid, epoch=policy.epoch, drained=self.drained,
                priority=policy.priority, hold=policy.hold),
            "GRANTS": register_value("GRANTS", priority=policy.priority),
            "REVISION": Mux(policy.epoch, self.revisions[1], self.revisions[0]),
            "TABLE_CRC": crc,
            "CONSOLE_SEND_ID": self.send_id,
            "CONSOLE_LISTEN": self.receive_valid,
            "CONSOLE_RECEIVE_ID": self.receive_ids[indices["CONSOLE_RECEIVE_ID"]],
            "CONSOLE_CLASS": register_value("CONSOLE_CLASS", tree_class=self.console_class),
            "CLASS_ROUTE": self.class_routes[indices["CLASS_ROUTE"]],
            "REFUSED": self.refused[indices["REFUSED"]],
            **{name.upper(): counts[indices[name.upper()]]
               for name, counts in zip(EPOCH_COUNTERS, self.epochs, strict=True)},
            "LINK_SENT": register_value("LINK_SENT", even=link.sent[0], odd=link.sent[1]),
            "LINK_RECEIVED": register_value("LINK_RECEIVED", even=link.received[0], odd=link.received[1]),
            "LINK_DAMAGED": register_value("LINK_DAMAGED", damaged=link.damaged),
            "LINK_ROOM": register_value("LINK_ROOM", **_room(link.ends)),
            "LINK_UNITS": self.parameters.link_units,
            # Of the meter, that of a word it has answered.
            "METER_SNAPSHOT": self.meter.last_tag,
            "METER_STATUS": register_value("METER_STATUS", taken=self.meter.taken),
            "METER_TIME": Mux(indices["METER_TIME"], self.meter.time[32:], self.meter.time[:32]),
            "METER_READING": self.meter.value,
            "METER_USED": self.meter.value,
            "LOG_COUNT": self.log_count,
            "LOG_LOST": self.log_lost,
            "LOG_NODES": register_value(
                "LOG_NODES", source=entry.refusal.source, destination=entry.refusal.destination),
            "LOG_REASON": register_value("LOG_REASON", reason=entry.refusal.reason),
            "LOG_TIME_HIGH": entry.time[32:],
            "LOG_TIME_LOW": entry.time[:32],
        }
        value = Signal(32)
        m.d.comb += value.eq(reduce(or_, [Mux(hits[name], field, 0) for name, field in values.items()]))
        return value


def _room(ends: data.View) -> dict[str, Value]:
    """Fields of LINK_ROOM."""
    room = {f"{state}_{channel}": units[channel]
            for state, units in (("free", ends.tx.free), ("held", ends.rx.held)) for channel in ("escape", "priority")}
    return {"sending": ends.tx.sending, "receiving": ends.rx.receiving, **room}


def _who(accesses: set[Access], rights: tuple[Access, Access], owners: Value) -> Value:
    """Whether the one whose access this is has one of `accesses`; `rights` are the owner's and the host's."""
    owner, host = (right in accesses for right in rights)
    return Mux(owners, Const(owner, 1), Const(host, 1))
