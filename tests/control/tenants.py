"""Tenants of nodes of an RTL machine: one who leaves traces wherever it can, and one who looks for them."""

from contextlib import suppress

from khhw.fuzz.memory_map import NODE
from khhw.host.transport import BusError
from khhw.node.descriptors import get_descriptor, message_descriptor, put_descriptor
from rtl.formats import DESCRIPTOR_BYTES, TreeHeader, Writer, pack, unpack
from rtl.meter_lines import MeterLine
from rtl.registers import REGISTERS, Access, Pattern, registers_of

__all__ = ["NODE", "READABLE", "dirty", "dirty_guard", "look", "shout", "stream",
           "texts_from"]

READABLE = [(register.name, index, address) for register, index, address in registers_of(NODE)
            if register.host in (Access.RO, Access.RW, Access.W1C)]
"""What a tenant can read at its host port."""
_WRITABLE = [(register.name, index) for register, index, _ in registers_of(NODE) if register.host is Access.RW]
_TELLING = (0x1E0, 0x20, 0x8, 0x1)
"""Values some of which every register takes, and keeps."""
_RING, _GETS, _WINDOW, _TEXT = 0x0, 0x1000, 0x2000, 0x3000
_OFTEN = 20
"""Cycles between two tries: fewer than a walk takes that clears."""
_BREATH = 100
"""Cycles in which the tree does not take all that an endpoint stores."""
_BUSY = {("METER_USED", 2 * MeterLine.BUSY_CYCLES + half) for half in range(2)}
_BROADCAST = REGISTERS["CONSOLE_TX_DEST"].pack(broadcast=1)
_CONTROL = REGISTERS["TRAFFIC_CONTROL"]
_ERROR_RING = 3
"""Where the traffic checker takes its packets from."""


async def look(machine, rank):
    """Every register the tenant can read, as soon as the node is not held: (name, index) -> value; and its memory.

    From the highest address down, so that what is cleared in a walk upwards is read before the walk has come by. Time
    and epoch parity are left out, and how busy the node is, mostly with these reads: the meter tells that up to a round
    late.
    """
    port = machine.host.nodes[rank]
    first = READABLE[-1][2]
    while True:
        try:
            await port.read(first)
            break
        except BusError:
            await port.sleep(_OFTEN)
    memory = port.peek(0, NODE.memory_bytes)
    found = {(name, index): await port.read(address) for name, index, address in reversed(READABLE)
             if not name.startswith("TIME_") and (name, index) not in _BUSY}
    status = REGISTERS["GUARD_STATUS"].unpack(found["GUARD_STATUS", 0])
    found["GUARD_STATUS", 0] = REGISTERS["GUARD_STATUS"].pack(**{**status, "epoch": 0})
    return found | {("memory", at): byte for at, byte in enumerate(memory) if byte}


async def shout(machine, rank, stopped):
    """Broadcast text as fast as the tree takes it, until `stopped` holds something or the node is held."""
    try:
        await machine.write(rank, "CONSOLE_TX_ADDRESS", _TEXT)
        await machine.write(rank, "CONSOLE_TX_DEST", _BROADCAST)
        while not stopped:
            if not await machine.read(rank, "CONSOLE_TX_LENGTH"):
                await machine.write(rank, "CONSOLE_TX_LENGTH", 240)
            await machine.outside.sleep(_BREATH)
    except BusError:
        return


async def stream(machine, rank, target):
    """Have the traffic generator send to a node, without end."""
    await machine.write(rank, "TRAFFIC_CONTROL", 0)
    await _send_to(machine, rank, machine.shape.coordinate(target))
    await machine.write(rank, "TRAFFIC_COUNT", 1 << 31)
    await machine.write(rank, "TRAFFIC_PROBABILITY", 1 << 29)
    await machine.write(rank, "TRAFFIC_CONTROL", _CONTROL.pack(pattern=Pattern.TARGET, enable=1))


async def _send_to(machine, rank, coordinate):
    """Have the traffic generator send to a coordinate."""
    target = REGISTERS["TRAFFIC_TARGET"].pack(**dict(zip("xyz", coordinate, strict=True)))
    await machine.write(rank, "TRAFFIC_TARGET", target)


async def texts_from(machine, rank, base):
    """Node ids whose texts stand in the console ring at `base`, that nobody has read yet."""
    tail = await machine.read(rank, "CONSOLE_TAIL")
    ring, sources = machine.host.nodes[rank].peek(base, tail), []
    at = 0
    while at < tail:
        header = unpack(TreeHeader, int.from_bytes(ring[at:at + 8], "big"))
        sources.append(header["source"])
        at += -(-(1 + header["words"]) // 4) * 32
    return sources


async def _post(machine, rank, descriptors, ring=0):
    """Have descriptors executed."""
    machine.host.nodes[rank].poke(_RING, b"".join(descriptors))
    size = DESCRIPTOR_BYTES * len(descriptors)
    await machine.write(rank, "INJECTION_BASE", _RING, ring)
    await machine.write(rank, "INJECTION_SIZE", size + DESCRIPTOR_BYTES, ring)
    await machine.write(rank, "INJECTION_TAIL", size, ring)
    while await machine.read(rank, "INJECTION_HEAD", ring) != size:
        await machine.outside.sleep(20)


async def dirty_guard(machine, rank):
    """More refusals than the log takes."""
    await machine.write(rank, "INJECTION_LIMIT", NODE.memory_bytes, 0)
    nowhere = message_descriptor((60, 60, 60), 0, 16)
    await _post(machine, rank, [nowhere] * (NODE.log_entries + 5))


async def dirty(machine, rank, friend):
    """Use everything there is: send, receive, ask, be refused, go wrong, measure; and leave no register as it was.

    `friend` is a node this one may send to and hear, and does the same.
    """
    here, there = machine.shape.coordinate(rank), machine.shape.coordinate(friend)
    port = machine.host.nodes[rank]
    port.poke(0, bytes(range(1, 256)) * (NODE.memory_bytes // 255) + b"z" * (NODE.memory_bytes % 255))
    await machine.write(rank, "TRAFFIC_SEED", 7)
    # Packets for the other node, more than it can send, and some for itself; then wrong ones.
    for target, pattern in ((here, Pattern.TARGET), (there, Pattern.TARGET)):
        await _send_to(machine, rank, target)
        await machine.write(rank, "TRAFFIC_PROBABILITY", 0xFFFFFFFF)
        await machine.write(rank, "TRAFFIC_COUNT", 200)
        await machine.write(rank, "TRAFFIC_CONTROL", _CONTROL.pack(pattern=pattern, record=1, enable=1))
        await machine.outside.sleep(2000)
    await dirty_guard(machine, rank)
    for counter in range(NODE.counters):
        await machine.write(rank, "INJECTION_LIMIT", NODE.memory_bytes, counter)
        await machine.write(rank, "INJECTION_VALUE", 16, counter)
        await machine.write(rank, "RECEPTION_WINDOW", _WINDOW, counter)
        await machine.write(rank, "RECEPTION_LIMIT", 64, counter)
        await machine.write(rank, "RECEPTION_VALUE", 16, counter)
        await machine.write(rank, "RECEPTION_WRITER", pack(Writer, armed=1, any=1, node=0xFFFF), counter)
    for ring in range(NODE.reception_rings):
        await machine.write(rank, "RECEPTION_BASE", _GETS, ring)
        await machine.write(rank, "RECEPTION_SIZE", 256, ring)
    await machine.write(rank, "CONSOLE_BASE", _GETS)
    await machine.write(rank, "CONSOLE_SIZE", 512)
    for ring in range(NODE.injection_rings):
        counters = range(NODE.counters)
        await _post(machine, rank, [
            *(message_descriptor(here, 0, 16, counter=counter, ring=counter % NODE.reception_rings)
              for counter in counters),
            *(message_descriptor(here, 0, 16, ring=0) for _ in range(8)),
            *(message_descriptor(here, 0, 16, ring=1) for _ in range(8)),
            message_descriptor(here, 0, 100, ring=_ERROR_RING), message_descriptor(there, 0, 100),
            *(put_descriptor(here, counter, 0, 0, 16) for counter in counters),
            put_descriptor(here, 0, 4096, 0, 16),
            get_descriptor(here, NODE.injection_rings - 1, 0, 1),
            message_descriptor(here, 4, 16),
        ], ring)
    # Text, of which the other node's fills the console ring.
    await machine.write(rank, "CONSOLE_TX_DEST", _BROADCAST)
    for _ in range(4):
        await machine.write(rank, "CONSOLE_TX_LENGTH", 240)
        await machine.outside.sleep(300)
    # What can be written and still is as after a reset.
    for name, index in _WRITABLE:
        for value in _TELLING:
            if not await machine.read(rank, name, index):
                with suppress(BusError):
                    await machine.write(rank, name, value, index)
    with suppress(BusError):
        await port.read(REGISTERS["COMMIT"].at())
    await stream(machine, rank, friend)
