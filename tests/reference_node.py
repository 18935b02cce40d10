"""One node of the reference machine: host port, rings, counters, guard, console."""

import struct
import zlib
from collections import Counter

from khhw.node.tree_packets import Control, TreePacket
from rtl.formats import (
    CHUNK_BYTES,
    DESCRIPTOR_BYTES,
    EXTERNAL,
    PAYLOAD_BYTES,
    ControlOp,
    Descriptor,
    Header,
    Protocol,
    PutHeader,
    Reason,
    TreeChannel,
    TreeClass,
    VirtualChannel,
    Writer,
    pack,
    ring_of,
    unpack,
)
from rtl.registers import MAGIC, REGISTERS, VERSION, Access, Fault, Irq, registers_of
from rtl.torus.hints import normalise
from rtl.tree.routing import FIXED_ROUTES

READABLE, WRITABLE = (Access.RO, Access.RW, Access.W1C), (Access.WO, Access.RW, Access.W1C)
TABLES = ("REVISION", "SHARED", "ROW", "COLUMN", "REACH")
INHERITED = ("GRANTS", "CONSOLE_SEND_ID", "CONSOLE_LISTEN", "CONSOLE_RECEIVE_ID", "REFUSED", "LOG_LOST")
RINGS = {"INJECTION": 32, "RECEPTION": 32, "CONSOLE": 32}


def value_of(name, **fields):
    """A register's value."""
    return REGISTERS[name].pack(**fields)


class RefusedError(Exception):
    """The node refuses an access."""


class ReferenceNode:
    def __init__(self, machine, rank):
        self.machine, self.rank, self.shape = machine, rank, machine.shape
        self.id = machine.shape.node_id(rank)
        self.memory = bytearray(machine.parameters.memory_bytes)
        self.map = {address: (r, i) for r, i, address in registers_of(machine.parameters)}
        self.values = Counter({("HOLD", 0): 1, ("CONSOLE_CLASS", 0): TreeClass.BROADCAST})
        self.values |= {("CLASS_ROUTE", number): ways for number, ways in FIXED_ROUTES.items()}
        self.counts = Counter()
        self.values["METER_STATUS", 0] = value_of("METER_STATUS", taken=1)
        self.active, self.banks = None, [{}, {}]
        self.epoch, self.log, self.fault_unread = 0, [], False
        self.loaded, self.vacant = [b"", b""], False
        sizes, coordinate = self.shape.sizes, self.shape.coordinate(rank)
        p = machine.parameters
        self.fixed = {
            "MAGIC": MAGIC, "VERSION": VERSION, "RANK": rank, "NODE_ID": self.id,
            "SIZE": value_of("SIZE", **dict(zip("xyz", sizes, strict=True))),
            "COORDINATE": value_of("COORDINATE", **dict(zip("xyz", coordinate, strict=True))),
            "MEMORY_BYTES": p.memory_bytes,
            "RESOURCES": value_of("RESOURCES", **{name: getattr(p, name) for name in (
                "counters", "lanes", "injection_rings", "reception_rings")}),
        }

    @property
    def held(self):
        return self.fields("HOLD")["hold"]

    def fields(self, name, index=0):
        """What the register holds, by field."""
        return REGISTERS[name].unpack(self.values[name, index])

    def ring(self, stem, index):
        """A ring's size in bytes, and whether it is for remote gets; only an injection ring can be."""
        size = REGISTERS["INJECTION_SIZE"].unpack(self.values[f"{stem}_SIZE", index])
        return size["chunks"] * CHUNK_BYTES, size["remote"]

    # Registers.

    def access(self, address, value, owner=False):
        """One access of the host, or of the owner; a read if `value` is None."""
        if address not in self.map:
            raise RefusedError
        register, index = self.map[address]
        rights = register.owner if owner else register.host
        if rights not in (READABLE if value is None else WRITABLE) or (not owner and self.held):
            raise RefusedError
        return self.read(register.name, index) if value is None else self.write(register.name, index, value)

    def read(self, name, index):
        if name in self.fixed:
            return self.fixed[name]
        if name == "IRQ_STATUS":
            return self.causes
        if name == "LAST_FAULT":
            self.fault_unread = False
        if name in ("GUARD_STATUS",):
            return value_of("GUARD_STATUS", drained=1, epoch=self.epoch, valid=self.active is not None)
        if name == "REVISION":
            return (self.active or {}).get(("REVISION", 0), 0)
        if name == "TABLE_CRC":
            return zlib.crc32(self.loaded[self.epoch])
        if name == "LOG_COUNT":
            return len(self.log)
        if name in ("LOG_NODES", "LOG_REASON", "LOG_TIME_HIGH", "LOG_TIME_LOW"):
            source, destination, reason, cycle = self.log[index]
            return {"LOG_NODES": value_of("LOG_NODES", source=source, destination=destination), "LOG_REASON": reason,
                    "LOG_TIME_HIGH": cycle >> 32, "LOG_TIME_LOW": cycle & 0xFFFFFFFF}[name]
        if (name, index) in self.counts:
            return self.counts[name, index]
        return self.values[name, index] or self.counts[name]

    def write(self, name, index, value):
        stem, _, part = name.partition("_")
        if name in ("INJECTION_HITS", "RECEPTION_HITS"):
            self.values[name, index] &= ~value
            return 0
        if stem in RINGS and part in ("HEAD", "TAIL"):
            size, remote = self.ring(stem, index)
            if value % CHUNK_BYTES or value >= size or (part == "TAIL" and remote):
                raise RefusedError
        if stem in RINGS and part in ("BASE", "SIZE"):
            self.values[f"{stem}_HEAD", index] = self.values[f"{stem}_TAIL", index] = 0
        if name == "CLASS_ROUTE" and index in FIXED_ROUTES:
            raise RefusedError
        if name == "HOLD":
            asked = REGISTERS["HOLD"].unpack(value)
            if asked["clear"] and not asked["hold"]:
                raise RefusedError
            if asked["clear"]:
                self.clear()
            value = value_of("HOLD", hold=asked["hold"])
            self.vacant &= asked["hold"]
        if name in TABLES:
            self.loaded[1 - self.epoch] += struct.pack("<HI", REGISTERS[name].at(index), value)
        if name == "TABLE_CRC":
            self.loaded[1 - self.epoch] = b""
        (self.banks[1 - self.epoch] if name in TABLES else self.values)[name, index] = value
        if name == "INJECTION_TAIL":
            self.machine.at(8, self.inject, index)
        elif name == "CONSOLE_TX_LENGTH":
            self.machine.at(40, self.speak)
        elif name == "COMMIT":
            self.epoch ^= 1
            self.active = self.banks[self.epoch]
        elif name == "LOG_CLEAR":
            self.log.clear()
        return 0

    def clear(self):
        """Nothing is left for the next tenant."""
        self.memory[:] = bytes(len(self.memory))
        self.log.clear()
        self.vacant = True
        for values in (self.values, self.counts):
            for key in list(values):
                if key[0] in INHERITED:
                    del values[key]
        self.values["CONSOLE_CLASS", 0] = TreeClass.BROADCAST

    @property
    def causes(self):
        up = 0
        for ring in range(self.machine.parameters.reception_rings):
            up |= (self.values["RECEPTION_HEAD", ring] != self.values["RECEPTION_TAIL", ring]) << ring
        up |= (self.values["CONSOLE_HEAD", 0] != self.values["CONSOLE_TAIL", 0]) << Irq.CONSOLE
        up |= (self.values["CONSOLE_TX_LENGTH", 0] == 0) << Irq.CONSOLE_SENT
        up |= (self.values["INJECTION_HITS", 0] != 0) << Irq.INJECTION_HIT
        up |= (self.values["RECEPTION_HITS", 0] != 0) << Irq.RECEPTION_HIT
        return up | self.fault_unread << Irq.FAULT

    @property
    def irq(self):
        return bool(self.causes & self.values["IRQ_ENABLE", 0])

    # Rings.

    def store(self, stem, index, data):
        """Append to a ring; False if it is full."""
        base, (size, _) = self.values[f"{stem}_BASE", index], self.ring(stem, index)
        head, tail = self.values[f"{stem}_HEAD", index], self.values[f"{stem}_TAIL", index]
        if not size or len(data) >= size - (tail - head) % size:
            return False
        for at, byte in enumerate(data):
            self.memory[base + (tail + at) % size] = byte
        self.values[f"{stem}_TAIL", index] = (tail + len(data)) % size
        return True

    def fault(self, fault, ring):
        self.counts["FAULTS"] += 1
        self.values["LAST_FAULT", 0] = value_of("LAST_FAULT", fault=fault, ring=ring)
        self.fault_unread = True

    def inject(self, ring):
        """Execute all descriptors of a ring."""
        base, (size, _) = self.values["INJECTION_BASE", ring], self.ring("INJECTION", ring)
        while (head := self.values["INJECTION_HEAD", ring]) != self.values["INJECTION_TAIL", ring]:
            raw = bytes(self.memory[base + head:base + head + DESCRIPTOR_BYTES])
            self.execute(raw, ring)
            self.values["INJECTION_HEAD", ring] = (head + DESCRIPTOR_BYTES) % size

    def execute(self, raw, ring):
        d = unpack(Descriptor, int.from_bytes(raw, "big"))
        header, put = unpack(Header, d["header"]), unpack(PutHeader, d["software"])
        counter, length = d["counter"], d["length"]
        _, remote = self.ring("INJECTION", ring)
        reader = self.fields("INJECTION_READER", counter)
        is_get = header["dma"] and put["remote_get"]
        if d["prefetch"] or d["local_copy"]:
            return self.fault(Fault.UNSUPPORTED, ring)
        if counter >= self.machine.parameters.counters:
            return self.fault(Fault.COUNTER, ring)
        if remote and not (reader["open"] and (reader["any"] or reader["node"] == header["source"])):
            return self.fault(Fault.WINDOW, ring)
        if d["base_offset"] % 8:
            return self.fault(Fault.ALIGNMENT, ring)
        if d["base_offset"] + length > self.values["INJECTION_LIMIT", counter]:
            return self.fault(Fault.RANGE, ring)
        if header["dma"] and (not length or (is_get and (length % 32 or length > 7 * 32))):
            return self.fault(Fault.LENGTH, ring)
        start = self.values["INJECTION_WINDOW", counter] + d["base_offset"]
        for at in range(0, length, PAYLOAD_BYTES):
            self.packet(header, d["software"], at, bytes(self.memory[start + at:start + min(length, at + 240)]), is_get)
        before = self.values["INJECTION_VALUE", counter]
        self.values["INJECTION_VALUE", counter] = (before - length) % (1 << 32)
        if before and before == length:
            self.values["INJECTION_HITS", 0] |= 1 << counter
        return None

    def packet(self, header, software, at, payload, is_get):
        chunks = -(-(16 + len(payload)) // CHUNK_BYTES)
        header = header | {"size": chunks - 1, "source": self.id, "epoch": self.epoch}
        destination = tuple(header[axis] for axis in "xyz")
        if (reason := self.egress(header, destination)) is not None:
            return self.refuse(reason, self.id, 0xFFFF if reason == Reason.RANGE else self._id(destination))
        software = (software + (0 if is_get else at << 32)) & (1 << 64) - 1
        self.counts["INJECTED", self.epoch] += 1
        data = pack(Header, **header).to_bytes(8, "big") + software.to_bytes(8, "big") + payload
        self.machine.deliver(self.rank, self.shape.rank(destination), data.ljust(32 * chunks, b"\0"),
                             valid=len(payload))
        return None

    # The guard.

    def _id(self, coordinate):
        return self.shape.node_id(self.shape.rank(coordinate))

    def allowed(self, table, node_id):
        return self.active[table, node_id // 32] >> node_id % 32 & 1 if (table, node_id // 32) in self.active else 0

    def refuse(self, reason, source, destination):
        if self.vacant:
            return
        self.counts["REFUSED", int(reason)] += 1
        if len(self.log) < self.machine.parameters.log_entries:
            self.log.append((source, destination, int(reason), self.machine.now))
        else:
            self.counts["LOG_LOST", 0] += 1

    def egress(self, header, destination):
        if self.active is None:
            return Reason.NO_TABLE
        if any(c >= size for c, size in zip(destination, self.shape.sizes, strict=True)):
            return Reason.RANGE
        if header["dynamic"] != (header["vc"] < VirtualChannel.ESCAPE):
            return Reason.CHANNEL
        if header["vc"] == VirtualChannel.PRIORITY and not self.values["GRANTS", 0]:
            return Reason.PRIORITY
        hints = normalise(self.shape.sizes, self.shape.coordinate(self.rank), destination, header["hint"])
        if hints.illegal:
            return Reason.HINT
        if header["deposit"] and not hints.here and not (
                hints.straight and hints.hops <= self.active.get(("REACH", hints.direction), 0)):
            return Reason.DEPOSIT
        return None if self.allowed("ROW", self._id(destination)) else Reason.ROW

    def arrive(self, data, facts):
        header = unpack(Header, int.from_bytes(data[:8], "big"))
        if self.active is None or not self.allowed("COLUMN", header["source"]):
            self.counts["REFUSED_IN", header["epoch"]] += 1
            return self.refuse(Reason.COLUMN, header["source"], self.id)
        self.counts["DELIVERED", header["epoch"]] += 1
        put = unpack(PutHeader, int.from_bytes(data[8:16], "big"))
        if not header["dma"]:
            if not self.store("RECEPTION", ring_of(header), data):
                self.counts["RING_DROPS"] += 1
        elif put["remote_get"]:
            self.remote_get(header, put["ring"], data[16:16 + facts["valid"]])
        else:
            self.put(header["source"], put, data[16:16 + facts["valid"]])
        return None

    def put(self, source, put, payload):
        counter, offset = put["counter"], put["put_offset"]
        writer = unpack(Writer, self.values["RECEPTION_WRITER", counter])
        admitted = writer["armed"] and (writer["any"] or writer["node"] == source) and writer["key"] == put["key"]
        limit = self.values["RECEPTION_LIMIT", counter]
        if not admitted or offset + len(payload) > limit:
            self.counts["COUNTER_DROPS"] += 1
            return
        start = self.values["RECEPTION_WINDOW", counter] + offset
        self.memory[start:start + len(payload)] = payload
        self.values["RECEPTION_VALUE", counter] -= len(payload)
        if not self.values["RECEPTION_VALUE", counter]:
            self.values["RECEPTION_HITS", 0] |= 1 << counter

    def remote_get(self, header, ring, payload):
        x, y, z = self.shape.coordinate(self.shape.rank_of_id(header["source"]))
        answers = b""
        for at in range(0, len(payload), DESCRIPTOR_BYTES):
            d = unpack(Descriptor, int.from_bytes(payload[at:at + DESCRIPTOR_BYTES], "big"))
            d["header"] = pack(Header, **unpack(Header, d["header"]) | {
                "x": x, "y": y, "z": z, "hint": 0, "deposit": 0, "source": header["source"]})
            answers += pack(Descriptor, **d).to_bytes(DESCRIPTOR_BYTES, "big")
        if not self.ring("INJECTION", ring)[1] or not self.store("INJECTION", ring, answers):
            self.counts["GET_DROPS"] += 1
            return
        self.machine.at(8, self.inject, ring)

    # The tree.

    def speak(self):
        address, length = self.values["CONSOLE_TX_ADDRESS", 0], self.values["CONSOLE_TX_LENGTH", 0]
        to = self.fields("CONSOLE_TX_DEST")
        self.machine.climb(TreePacket(
            protocol=Protocol.CONSOLE, payload=bytes(self.memory[address:address + length]),
            vector=None if to["broadcast"] else to["vector"], dst_key=self.values["CONSOLE_SEND_ID", 0],
            src_key=self.rank, source=self.id, tree_class=self.values["CONSOLE_CLASS", 0]), TreeChannel.TENANT)
        self.values["CONSOLE_TX_LENGTH", 0] = 0

    def route(self, tree_class):
        """Ways of a class."""
        return self.fields("CLASS_ROUTE", tree_class)

    def tree(self, packet):
        if packet.protocol == Protocol.CONTROL and packet.owner and packet.external:
            self.machine.climb(TreePacket(
                protocol=Protocol.CONTROL, payload=self.control(packet), vector=EXTERNAL, src_key=self.rank,
                dst_key=packet.src_key, conn_id=packet.conn_id, source=self.id, combine=packet.combine,
                epoch=packet.epoch, tree_class=packet.tree_class), TreeChannel.OWNER)
        elif packet.protocol == Protocol.CONSOLE and not self.values["HOLD", 0]:
            self.listen(packet)

    def control(self, packet):
        answer = b""
        for word in Control.parse_all(packet.payload):
            op, data = word.op, word.data
            try:
                if op != ControlOp.NOP:
                    value = self.access(word.address, data if op == ControlOp.WRITE else None, owner=True)
                    data = data if op == ControlOp.WRITE else value
            except RefusedError:
                op |= ControlOp.FAILED
            answer += (op << 56 | word.address << 32 | data).to_bytes(8, "big")
        return answer

    def listen(self, packet):
        keys = {self.values["CONSOLE_RECEIVE_ID", i] for i in range(self.machine.parameters.receive_ids)
                if self.values["CONSOLE_LISTEN", 0] >> i & 1}
        if packet.dst_key not in keys or (not packet.external and packet.source == self.id):
            return
        if not packet.external and (self.active is None or not self.allowed("COLUMN", packet.source)):
            self.refuse(Reason.TREE, packet.source, self.id)
            return
        flits = packet.flits()
        record = b"".join(flit.to_bytes(8, "big") for flit in flits)
        if not self.store("CONSOLE", 0, record.ljust(-(-len(record) // 32) * 32, b"\0")):
            self.counts["CONSOLE_DROPS"] += 1


