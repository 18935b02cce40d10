"""The register map of a node, once: RTL decoders, the host driver, headers and docs come from it.

Two initiators reach a register: the node's own host port (`host`), which belongs to the tenant, and the
owner (`owner`), whose accesses arrive as control packets from the port above the tree's root. What an
initiator may not do is an error to it (SLVERR on the host port, `ControlOp.FAILED` to the owner), counted,
and changes nothing.
"""

import enum
from collections.abc import Iterator

from rtl.formats import Writer
from rtl.meter_lines import LINES, TENANT_LINES
from rtl.parameters import Parameters
from rtl.register_type import Access, Register, joined

__all__ = [
    "Access", "Fault", "GUARD_END", "GUARD_PAGE", "Irq", "LARGEST", "MAGIC", "MEMORY_WINDOW", "Pattern", "REGISTERS",
    "Register", "TRAFFIC_END", "TRAFFIC_PAGE", "TrafficError", "VERSION", "joined", "registers_of",
]

MAGIC = 0x4B484857
VERSION = 2
GUARD_PAGE = 0x4000
"""Registers from here on are the guard's: trusted, reset only with the fabric."""
TRAFFIC_PAGE = 0xC000
"""Registers from here on are the traffic generator's, in a node that has one; reset with the tenant."""
MEMORY_WINDOW = 0x800000
"""Host port addresses from here on are the node memory."""


class Irq(enum.IntEnum):
    """Bits of IRQ_STATUS and IRQ_ENABLE. All are levels."""

    RECEPTION = 0
    """Reception ring 0 holds a packet; ring ``i`` is bit ``i``."""
    CONSOLE = 8
    """The console ring holds a packet."""
    CONSOLE_SENT = 9
    """The console transmitter is idle."""
    INJECTION_HIT = 10
    """A bit of INJECTION_HITS is set."""
    RECEPTION_HIT = 11
    """A bit of RECEPTION_HITS is set."""
    FAULT = 12
    """FAULTS is not what it was when LAST_FAULT was read last."""


class Fault(enum.IntEnum):
    """What LAST_FAULT says about a descriptor that was skipped."""

    NONE = 0
    ALIGNMENT = 1
    """`base_offset` is not a multiple of 8."""
    RANGE = 2
    """The message leaves the window of its injection counter, or the window the memory."""
    COUNTER = 3
    """No such injection counter."""
    WINDOW = 4
    """A remote get asks for a window whose READER does not name the requester."""
    LENGTH = 5
    """A put of no bytes, or a remote get whose length is not a multiple of 32 or more than 7 descriptors."""
    UNSUPPORTED = 6
    """Prefetch or local copy."""
    LATE = 7
    """A remote get is not answered, or not to its end: it was let in :data:`~rtl.formats.ANSWER_COMMITS` commits ago,
    and who asked may not be who would be answered."""


class Pattern(enum.IntEnum):
    """Where the traffic generator of the node at (x, y, z) sends; sizes of the torus are X, Y, Z."""

    UNIFORM = 0
    """Every other node, each as likely."""
    TRANSPOSE = 1
    """The node whose dense rank, counted with x fastest, is this node's rank counted with z fastest: (y, x) on a
    square, (z, y, x) in a cube."""
    BIT_COMPLEMENT = 2
    """(X - 1 - x, Y - 1 - y, Z - 1 - z)."""
    TORNADO = 3
    """(x + ceil(X / 2) - 1, ...) modulo the sizes: as far as there is no way round."""
    NEIGHBOUR = 4
    """(x + 1, y + 1, z + 1) modulo the sizes."""
    HOT_SPOT = 5
    """TRAFFIC_HOTSPOT with TRAFFIC_HOTSPOT_PROBABILITY, else as UNIFORM."""
    TARGET = 6
    """TRAFFIC_TARGET: with a value a node, any permutation."""


class TrafficError(enum.IntEnum):
    """What is wrong with a packet the traffic checker received: the first that applies."""

    BAD = 0
    """Its tail was marked bad."""
    LENGTH = 1
    """It has not as many flits as its header says."""
    MISROUTED = 2
    """It was sent to another node."""
    CONTENT = 3
    """A payload flit is not what source, destination and software header call for."""
    TIME = 4
    """It was generated in the future."""
    ORDER = 5
    """It is not newer than the last one of its source, on a channel that keeps the order."""


RW, RO, WO, W1C = Access.RW, Access.RO, Access.WO, Access.W1C
_XYZ = {"reserved": 8, "x": 8, "y": 8, "z": 8}

_WIDE = " 64 bits, low half first; a read of that latches the high half."

_ALL = [
    Register(name="MAGIC", address=0x000, host=RO, doc="0x4b484857, the letters KHHW."),
    Register(name="VERSION", address=0x004, host=RO, doc="Version of formats and registers."),
    Register(name="COORDINATE", address=0x008, host=RO, fields=_XYZ, doc="Where this node is in the torus."),
    Register(name="SIZE", address=0x00C, host=RO, fields=_XYZ, doc="Size of the torus."),
    Register(name="RANK", address=0x010, host=RO, doc="Dense rank, x + X (y + Y z)."),
    Register(name="NODE_ID", address=0x014, host=RO, doc="Node id, {z, y, x} packed: what the guard stamps."),
    Register(name="TIME_LOW", address=0x018, host=RO,
             doc="Cycles since the machine started, low half. A read latches TIME_HIGH."),
    Register(name="TIME_HIGH", address=0x01C, host=RO, doc="High half, of the moment TIME_LOW was read."),
    Register(name="MEMORY_BYTES", address=0x020, host=RO, doc="Size of the node memory."),
    Register(name="RESOURCES", address=0x024, host=RO,
             doc="What this node was built with. `extensions`: bit 0, a traffic generator.",
             fields={"extensions": 8, "counters": 12, "lanes": 4, "injection_rings": 4, "reception_rings": 4}),
    Register(name="IRQ_STATUS", address=0x040, host=RO, doc="Interrupt causes, bits of `Irq`."),
    Register(name="IRQ_ENABLE", address=0x044, host=RW, doc="The interrupt is up while a cause enabled here is."),
    Register(name="BUS_ERRORS", address=0x050, host=RO, doc="Host accesses that were answered with an error."),
    Register(name="FAULTS", address=0x054, host=RO, doc="Descriptors that were skipped."),
    Register(name="LAST_FAULT", address=0x058, host=RO, fields={"reserved": 20, "fault": 4, "ring": 8},
             doc="The last one: its `Fault` and ring. A read lowers the FAULT interrupt."),
    Register(name="RING_DROPS", address=0x05C, host=RO, doc="Packets dropped because their reception ring was full."),
    Register(name="COUNTER_DROPS", address=0x060, host=RO,
             doc="Puts dropped because their counter is not armed, RECEPTION_WRITER does not admit them, or they would "
                 "leave the window."),
    Register(name="GET_DROPS", address=0x064, host=RO, doc="Remote gets dropped for want of room in their ring."),
    Register(name="BAD_DROPS", address=0x068, host=RO, doc="Packets dropped because their tail was marked bad."),
    Register(name="INJECTION_HITS", address=0x080, host=W1C, count="hit_words",
             doc="Bit i: injection counter 32 w + i has reached zero."),
    Register(name="RECEPTION_HITS", address=0x0A0, host=W1C, count="hit_words",
             doc="Bit i: reception counter 32 w + i has reached zero."),
    Register(name="INJECTION_BASE", address=0x100, host=RW, count="injection_rings", stride=16,
             doc="Byte address of an injection ring, a multiple of 32. A write sets HEAD and TAIL to 0."),
    Register(name="INJECTION_SIZE", address=0x104, host=RW, count="injection_rings", stride=16,
             fields={"chunks": 27, "reserved": 4, "remote": 1},
             doc="Bytes, a multiple of 32; 0 closes the ring. A write sets HEAD and TAIL to 0. With `remote` the ring "
                 "takes remote gets and nothing else: hardware moves TAIL, and a write of TAIL is an error."),
    Register(name="INJECTION_HEAD", address=0x108, host=RO, count="injection_rings", stride=16,
             doc="Offset of the next descriptor the hardware will take. Moves when a message has left memory."),
    Register(name="INJECTION_TAIL", address=0x10C, host=RW, count="injection_rings", stride=16,
             doc="Doorbell: offset behind the last descriptor. Not a multiple of 32, or not below SIZE: an error."),
    Register(name="RECEPTION_BASE", address=0x180, host=RW, count="reception_rings", stride=16,
             doc="Byte address of a reception ring, a multiple of 32. A write sets HEAD and TAIL to 0."),
    Register(name="RECEPTION_SIZE", address=0x184, host=RW, count="reception_rings", stride=16,
             doc="Bytes, a multiple of 32; 0 closes the ring. A write sets HEAD and TAIL to 0."),
    Register(name="RECEPTION_HEAD", address=0x188, host=RW, count="reception_rings", stride=16,
             doc="Offset of the oldest packet software still needs. Not a multiple of 32, or not below SIZE: "
                 "an error."),
    Register(name="RECEPTION_TAIL", address=0x18C, host=RO, count="reception_rings", stride=16,
             doc="Offset behind the last packet that is whole. Packets are stored with both headers, in "
                 "32-byte chunks."),
    Register(name="CONSOLE_BASE", address=0x1C0, host=RW, doc="As RECEPTION_BASE, for console packets."),
    Register(name="CONSOLE_SIZE", address=0x1C4, host=RW, doc="As RECEPTION_SIZE, for console packets."),
    Register(name="CONSOLE_HEAD", address=0x1C8, host=RW, doc="As RECEPTION_HEAD, for console packets."),
    Register(name="CONSOLE_TAIL", address=0x1CC, host=RO,
             doc="As RECEPTION_TAIL; a record is a tree packet (header, link header, payload) padded to 32 bytes."),
    Register(name="CONSOLE_DROPS", address=0x1D0, host=RO, doc="Console packets dropped because the ring was full."),
    Register(name="CONSOLE_TX_ADDRESS", address=0x1D4, host=RW, doc="Byte address of text to send, a multiple of 8."),
    Register(name="CONSOLE_TX_DEST", address=0x1D8, host=RW, fields={"reserved": 7, "broadcast": 1, "vector": 24},
             doc="Where to: everybody who listens, or one tree vector; 0xffffff is the outside."),
    Register(name="CONSOLE_TX_LENGTH", address=0x1DC, host=RW,
             doc="Doorbell: bytes to send, 1 to 240. Reads 0 when sent; an error while another send is in progress."),
    Register(name="INJECTION_VALUE", address=0x2000, host=RW, count="counters", stride=16,
             doc="Bytes still to be sent; sending counts it down, zero sets the hit bit."),
    Register(name="INJECTION_WINDOW", address=0x2004, host=RW, count="counters", stride=16,
             doc="Byte address descriptors of this counter count from, a multiple of 8."),
    Register(name="INJECTION_LIMIT", address=0x2008, host=RW, count="counters", stride=16,
             doc="Bytes from INJECTION_WINDOW that may be sent."),
    Register(name="INJECTION_READER", address=0x200C, host=RW, count="counters", stride=16,
             fields={"reserved": 14, "open": 1, "any": 1, "node": 16},
             doc="Who may read this window by remote get: nobody (`open` 0), anybody, or one node id."),
    Register(name="RECEPTION_VALUE", address=0x3000, host=RW, count="counters", stride=16,
             doc="Bytes still expected; a put counts it down, zero sets the hit bit."),
    Register(name="RECEPTION_WINDOW", address=0x3004, host=RW, count="counters", stride=16,
             doc="Byte address `put_offset` counts from, a multiple of 8."),
    Register(name="RECEPTION_LIMIT", address=0x3008, host=RW, count="counters", stride=16,
             doc="Bytes from RECEPTION_WINDOW that may be written."),
    Register(name="RECEPTION_WRITER", address=0x300C, host=RW, count="counters", stride=16,
             fields={"reserved": 32 - Writer.size, **{name: part.width for name, part in reversed(list(Writer))}},
             doc="Who may put into this window: nobody (`armed` 0), anybody, or one node id; and only puts with this "
                 "`key`. All others are dropped and counted."),
    Register(name="HOLD", address=0x4000, owner=RW, fields={"reserved": 30, "clear": 1, "hold": 1},
             doc="Tenant reset, level: network interface, host port and console DMA stay in reset. 1 after reset. "
                 "`clear`, only with `hold`: takes from the node what the next tenant could read or inherit. It sets "
                 "the node memory, GRANTS, CONSOLE_SEND_ID, CONSOLE_LISTEN, CONSOLE_RECEIVE_ID and REFUSED to 0, "
                 "CONSOLE_CLASS to 15, and empties the log; until the hold ends what is refused is neither logged "
                 "nor counted in REFUSED. A write of 0 takes effect when the memory is cleared, has answered what hold "
                 "cut, no packet of the tenant before or console packet for it is left, and the meter is ready. "
                 "Reads: `hold`, whether it lasts; `clear`, "
                 "whether something keeps it from ending."),
    Register(name="COMMIT", address=0x4004, owner=WO,
             doc="Any write makes the shadow tables, reaches and revision the active ones and flips the epoch parity. "
                 "An error while DRAINED is 0."),
    Register(name="GUARD_STATUS", address=0x4008, host=RO, owner=RO,
             fields={"reserved": 27, "hold": 1, "priority": 1, "drained": 1, "epoch": 1, "valid": 1},
             doc="`valid`: a table was committed since reset. `epoch`: the parity packets are stamped with. "
                 "`drained`: all that passed the ingress guard before the last commit is finished."),
    Register(name="GRANTS", address=0x400C, owner=RW, fields={"reserved": 31, "priority": 1},
             doc="`priority`: this node may inject on the priority channel."),
    Register(name="REACH", address=0x4010, owner=WO, count=6,
             doc="Shadow: hops a deposit packet may travel in each `Direction`; part of the epoch."),
    Register(name="REVISION", address=0x4028, owner=RW,
             doc="A number the owner gives to what it loads; hardware makes nothing of it. A write goes to the shadow; "
                 "a read finds the active one."),
    Register(name="TABLE_CRC", address=0x402C, owner=RW,
             doc="CRC-32 (zlib's) over the writes of REVISION, ROW, COLUMN, SHARED and REACH by which the active "
                 "tables were made what they are, in all loads of this bank. A write counts as six bytes: address (2) "
                 "and value (4), least significant byte first. 0 if nothing was written. Any write of TABLE_CRC sets "
                 "the sum of the shadow to 0: before a load of all words, if it is not known what the shadow holds."),
    Register(name="CONSOLE_SEND_ID", address=0x4030, owner=RW, host=RO,
             doc="Channel id stamped on what this node sends."),
    Register(name="CONSOLE_LISTEN", address=0x4034, owner=RW, host=RO, doc="Bit i: receive id i is in use."),
    Register(name="CONSOLE_CLASS", address=0x4038, owner=RW, fields={"reserved": 28, "tree_class": 4},
             doc="Class stamped on what this node sends: it reaches nobody else. 15 after reset and after `clear` of "
                 "HOLD."),
    Register(name="CONSOLE_RECEIVE_ID", address=0x4040, owner=RW, host=RO, count="receive_ids",
             doc="Channel ids this node takes packets of."),
    Register(name="REFUSED", address=0x4080, host=RO, owner=RO, count=16,
             doc="Packets refused here, by `Reason`, since the fabric reset or the last `clear` of HOLD."),
    Register(name="INJECTED", address=0x40C0, owner=RO, count=2,
             doc="Packets sent into the torus, by epoch parity."),
    Register(name="DELIVERED", address=0x40C8, owner=RO, count=2,
             doc="Packets handed to the network interface, by epoch parity; copies of deposit packets do not count."),
    Register(name="REFUSED_IN", address=0x40D0, owner=RO, count=2,
             doc="Packets the ingress guard refused, by epoch parity; copies do not count."),
    Register(name="DROPPED", address=0x40D8, owner=RO, count=2,
             doc="Packets the router found no way for or that met a node in hold, by epoch parity; copies do not "
                 "count, nor does what a cable damaged (LINK_RECEIVED)."),
    Register(name="LOG_COUNT", address=0x40E0, host=RO, owner=RO, doc="Entries in the log."),
    Register(name="LOG_LOST", address=0x40E4, host=RO, owner=RO,
             doc="Refusals that found the log full, or the slot of their lane taken."),
    Register(name="LOG_CLEAR", address=0x40E8, owner=WO, doc="Any write empties the log and LOG_LOST."),
    Register(name="LOG_NODES", address=0x4100, host=RO, owner=RO, count="log_entries", stride=16,
             fields={"source": 16, "destination": 16}, doc="Who wanted to send to whom."),
    Register(name="LOG_REASON", address=0x4104, host=RO, owner=RO, count="log_entries", stride=16,
             fields={"reserved": 28, "reason": 4}, doc="Why not: a `Reason`."),
    Register(name="LOG_TIME_HIGH", address=0x4108, host=RO, owner=RO, count="log_entries", stride=16,
             doc="Cycle of the refusal, high half."),
    Register(name="LOG_TIME_LOW", address=0x410C, host=RO, owner=RO, count="log_entries", stride=16,
             doc="Cycle of the refusal, low half."),
    Register(name="LINK_SENT", address=0x5200, owner=RO, count=6, stride=16, fields={"odd": 16, "even": 16},
             doc="Headers sent by the torus cable of each `Direction`, by epoch parity, modulo 2^16."),
    Register(name="LINK_RECEIVED", address=0x5204, owner=RO, count=6, stride=16, fields={"odd": 16, "even": 16},
             doc="Headers that came whole by the torus cable of each `Direction`, by epoch parity, modulo 2^16. What "
                 "LINK_SENT of the neighbour counts and this does not, the cable between them has lost or damaged."),
    Register(name="LINK_DAMAGED", address=0x5208, owner=RO, count=6, stride=16,
             fields={"reserved": 16, "damaged": 16},
             doc="Packets whose header has a wrong CRC or is missing, that came by the torus cable of each "
                 "`Direction`, modulo 2^16. A header that comes inside another packet ends that one, and is missing."),
    Register(name="LINK_ROOM", address=0x520C, owner=RO, count=6, stride=16,
             fields={"reserved": 2, "sending": 1, "receiving": 1, "free_priority": 7, "free_escape": 7,
                     "held_priority": 7, "held_escape": 7},
             doc="The torus cable of each `Direction` now. `free`: room its transmitter here knows of. `held`: room "
                 "that what came takes. `sending`, `receiving`: a packet has begun and not ended. With nothing on "
                 "the cable, `free` at one end and `held` at the other are LINK_UNITS together, but for room it lost."),
    Register(name="LINK_UNITS", address=0x5260, owner=RO,
             doc="Room of a channel at the end of a torus cable: packets, or chunks if the node counts those."),
    Register(name="CLASS_ROUTE", address=0x5280, owner=RW, count=16,
             fields={"reserved": 28, "own": 1, "right": 1, "left": 1, "outside": 1},
             doc="Ways of a packet to the members of each tree class: into this node, to its children, and at the root "
                 "to the outside. Classes 0 and 15 are fixed (`TreeClass`): a write of them is an error. 0 after "
                 "reset."),
    Register(name="METER_SNAPSHOT", address=0x52C0, owner=RW,
             doc="A write of another tag than the last one takes a snapshot of all lines of the meter, of one cycle, "
                 "for METER_READING; a write of the same tag does nothing. Reads the last tag."),
    Register(name="METER_STATUS", address=0x52C4, owner=RO, fields={"reserved": 31, "taken": 1},
             doc="`taken`: METER_READING is of the last tag."),
    Register(name="METER_TIME", address=0x52C8, owner=RO, count=2,
             doc="First cycle that the snapshot does not count, 64 bits, low half first."),
    Register(name="METER_READING", address=0x5300, owner=RO, count=2 * LINES,
             doc="The meter at the last snapshot: 64 bits a `MeterLine`, low half first; since the fabric reset."),
    Register(name="METER_USED", address=0x5400, host=RO, count=2 * TENANT_LINES,
             doc="The meter since the last hold with `clear` ended: as METER_READING, but only lines before "
                 "REFUSED_PACKETS. A read of the first word brings all up to date and takes some hundred cycles; while "
                 "traffic goes on they are brought up to date in between as well, so read a high half before and after "
                 "the low one."),
    Register(name="ROW", address=0x6000, owner=WO, count="table_words",
             doc="Shadow row: bit i of word w is isAllowed(this node, node id 32 w + i)."),
    Register(name="COLUMN", address=0x8000, owner=WO, count="table_words",
             doc="Shadow column: bit i of word w is isAllowed(node id 32 w + i, this node)."),
    Register(name="SHARED", address=0xA000, owner=WO, count="table_words",
             doc="Shadow: bit i of word w says that node id 32 w + i is of another lease. The meter asks for it, "
                 "nothing else does."),
    Register(name="TRAFFIC_CONTROL", address=0xC000, host=RW,
             fields={"reserved": 25, "channel": 2, "pattern": 3, "record": 1, "enable": 1},
             doc="`enable`: packets are generated; what waits is sent in any case. `record`: packets generated now "
                 "count and carry a mark by which the receiver records them. `pattern`: a `Pattern`; 7 is an error. "
                 "`channel`: the `VirtualChannel` of packets; 0 and 1 both mean the adaptive ones, in turn."),
    Register(name="TRAFFIC_STATUS", address=0xC004, host=RO,
             fields={"reserved": 14, "queued": 8, "lanes": 6, "checking": 1, "clearing": 1, "seeding": 1, "active": 1},
             doc="`active`: may generate. `seeding`, `clearing`: not yet over. `checking`: a received packet is not "
                 "counted yet. `lanes`: injection lanes that are sending. `queued`: generated packets that wait."),
    Register(name="TRAFFIC_CLEAR", address=0xC008, host=WO,
             doc="Any write sets everything measured to 0 and forgets the order of packets; takes `table_nodes` "
                 "cycles, at least 128, in which packets are received but not counted. An error while `active` or "
                 "`clearing`."),
    Register(name="TRAFFIC_SEED", address=0xC00C, host=RW,
             doc="A write starts the random sequences anew, from it and the rank; generation waits 64 cycles."),
    Register(name="TRAFFIC_PROBABILITY", address=0xC010, host=RW,
             doc="Packets a cycle, in units of 2^-32."),
    Register(name="TRAFFIC_COUNT", address=0xC014, host=RW,
             doc="Packets to generate from this write on; 0 is no limit."),
    Register(name="TRAFFIC_TARGET", address=0xC018, host=RW, fields=_XYZ,
             doc="Destination of `Pattern.TARGET`. Not checked: what does not exist the egress guard refuses."),
    Register(name="TRAFFIC_HOTSPOT", address=0xC01C, host=RW, fields=_XYZ, doc="Hot spot of `Pattern.HOT_SPOT`."),
    Register(name="TRAFFIC_HOTSPOT_PROBABILITY", address=0xC020, host=RW,
             doc="Share of packets that go to the hot spot, in units of 2^-32; the low 4 bits do not count."),
    Register(name="TRAFFIC_LENGTHS", address=0xC040, host=RW, count=7, fields={"reserved": 15, "threshold": 17},
             doc="Length distribution: the share of packets of at most i + 1 chunks of 32 bytes, in units of 2^-16, "
                 "must not fall with i. All others have 8 chunks."),
    Register(name="TRAFFIC_OVERRUNS", address=0xC080, host=RO,
             doc="Packets that were not generated, while `record` was on, because the queue was full."),
    Register(name="TRAFFIC_SELF", address=0xC084, host=RO,
             doc="Generated packets that went nowhere because the pattern's destination is this node; recorded ones."),
    Register(name="TRAFFIC_LATENCY_MAX", address=0xC088, host=RO,
             doc="Longest latency in cycles of a recorded packet."),
    Register(name="TRAFFIC_WINDOW", address=0xC090, host=RO, count=2, doc="Cycles `record` was on." + _WIDE),
    Register(name="TRAFFIC_GENERATED", address=0xC098, host=RO, count=2,
             doc="Recorded packets that entered the queue." + _WIDE),
    Register(name="TRAFFIC_GENERATED_FLITS", address=0xC0A0, host=RO, count=2,
             doc="Their flits, headers included." + _WIDE),
    Register(name="TRAFFIC_INJECTED", address=0xC0A8, host=RO, count=2,
             doc="Recorded packets whose last flit has passed to the egress guard." + _WIDE),
    Register(name="TRAFFIC_INJECTED_FLITS", address=0xC0B0, host=RO, count=2, doc="Their flits." + _WIDE),
    Register(name="TRAFFIC_RECEIVED", address=0xC0B8, host=RO, count=2,
             doc="Recorded packets that arrived whole and right: the sum of the histogram." + _WIDE),
    Register(name="TRAFFIC_RECEIVED_FLITS", address=0xC0C0, host=RO, count=2, doc="Their flits." + _WIDE),
    Register(name="TRAFFIC_ACCEPTED", address=0xC0C8, host=RO, count=2,
             doc="Packets that arrived right while `record` was on here, recorded or not." + _WIDE),
    Register(name="TRAFFIC_ACCEPTED_FLITS", address=0xC0D0, host=RO, count=2, doc="Their flits." + _WIDE),
    Register(name="TRAFFIC_LATENCY_SUM", address=0xC0D8, host=RO, count=2,
             doc="Sum of the latencies of recorded packets, from generation to the last flit at the checker." + _WIDE),
    Register(name="TRAFFIC_ERRORS", address=0xC0E0, host=RO, count=8,
             doc="Packets with an error, recorded or not, by `TrafficError`; they count nowhere else."),
    Register(name="TRAFFIC_HISTOGRAM", address=0xC200, host=RO, count=128,
             doc="Recorded packets by latency. Latencies below 16 have a bin each; bin i from 16 on holds latencies "
                 "from (8 + i mod 8) 2^(i/8 - 1), eight bins to a factor of two. The last also holds all above. "
                 "0 while `clearing`."),
]

REGISTERS: dict[str, Register] = {register.name: register for register in _ALL}
"""All registers by name, in address order."""


def registers_of(parameters: Parameters) -> Iterator[tuple[Register, int, int]]:
    """Every register element of a node: (register, index, byte address).

    Parameters
    ----------
    parameters : Parameters
        Of the node.
    """
    for register in REGISTERS.values():
        if register.address >= TRAFFIC_PAGE and not parameters.traffic:
            continue
        for index in range(register.elements(parameters)):
            yield register, index, register.at(index)


LARGEST = Parameters(
    lanes=6, slots=8, table_nodes=65536, memory_bytes=4 << 20, injection_rings=8, reception_rings=4, counters=256,
    log_entries=256, receive_ids=8, traffic=True)
"""A node with every register there can be."""

GUARD_END = max(address for _, _, address in registers_of(LARGEST) if address < TRAFFIC_PAGE) + 4
"""The guard's registers end before this address, in any node."""

TRAFFIC_END = max(address for _, _, address in registers_of(LARGEST)) + 4
"""The traffic generator's registers end before this address."""
