"""The guard's registers: who may do what, and what they drive."""

import struct
import zlib
from collections import Counter

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge

from rtl.formats import Direction, TreeClass, pack
from rtl.meter import round_cycles
from rtl.registers import GUARD_PAGE, REGISTERS, Access, registers_of
from rtl.signatures import LinkReport, ReceiverReport, TransmitterReport
from rtl.tree.routing import CLASSES, FIXED_ROUTES, Target
from testbenches.guard_model import Bench, header, packet

DUT = "rtl.guard.guard:Guard"
PARAMETERS = [{}, {"lanes": 6, "table_nodes": 32, "log_entries": 4}]


@cocotb.test()
async def rights(dut):
    """Every register element, each way, for both initiators: what REGISTERS allows, and an error for all else."""
    bench = Bench(dut)
    await bench.start(commit=True)
    elements = list(registers_of(bench.parameters))
    tables = ("ROW", "COLUMN")
    addresses = {address: register for register, _, address in elements}
    ours = [register for register in REGISTERS.values() if register.address >= GUARD_PAGE]
    # Every bit of an address counts.
    gaps = [GUARD_PAGE + 4 * n for n in range(80)] + [0x7FFC, 0xBFFC, 0xFFFC]
    gaps += [register.address ^ 1 << bit for register in ours for bit in range(16)]
    for bus, column in ((bench.owner, "owner"), (bench.host, "host")):
        for address in [*addresses, *(gap for gap in gaps if gap not in addresses)]:
            register = addresses.get(address)
            right = getattr(register, column) if register in ours else Access.NONE
            if register in ours and register.name in tables and address > register.at(1):
                continue
            before = await bench.get("GUARD_STATUS"), dut.send_id.value, dut.receive_ids.value, dut.receive_valid.value
            answer = await bus.read(address)
            assert answer.error == (right not in (Access.RW, Access.RO)), (column, "read", hex(address))
            assert not answer.error or answer.value == 0
            if register is not None and register.name == "HOLD" and bus is bench.owner:
                continue
            answer = await bus.write(address, bench.random.getrandbits(32))
            fixed = address in (REGISTERS["CLASS_ROUTE"].at(number) for number in FIXED_ROUTES)
            assert answer.error == (right not in (Access.RW, Access.WO) or fixed), (column, "write", hex(address))
            after = await bench.get("GUARD_STATUS"), dut.send_id.value, dut.receive_ids.value, dut.receive_valid.value
            assert not answer.error or before == after, (column, hex(address))


@cocotb.test()
async def console_keys(dut):
    """What the owner writes is what the console endpoint gets, and what the tenant can read."""
    bench = Bench(dut)
    await bench.start()
    for _ in range(16):
        send, *keys = [bench.random.getrandbits(32) for _ in range(bench.parameters.receive_ids + 1)]
        listen = bench.random.getrandbits(bench.parameters.receive_ids)
        written = [("CONSOLE_RECEIVE_ID", key, index) for index, key in enumerate(keys)]
        written += [("CONSOLE_SEND_ID", send, 0), ("CONSOLE_LISTEN", listen, 0)]
        bench.random.shuffle(written)
        for name, value, index in written:
            await bench.set(name, value, index)
        for name, value, index in written:
            assert await bench.get(name, index) == value
            assert (await bench.host.read(REGISTERS[name].at(index))).value == value
        assert int(dut.send_id.value) == send
        assert int(dut.receive_valid.value) == listen
        assert int(dut.receive_ids.value) == sum(key << 32 * index for index, key in enumerate(keys))


@cocotb.test()
async def tree_classes(dut):
    """What the owner writes of them is what the tree gets; two classes are fixed, and no tenant reads them."""
    bench = Bench(dut)
    await bench.start()
    routes = [FIXED_ROUTES.get(number, 0) for number in range(CLASSES)]
    for _ in range(16):
        for number in bench.random.sample(range(CLASSES), 9):
            ways, register = bench.random.getrandbits(len(Target)), REGISTERS["CLASS_ROUTE"].at(number)
            answer = await bench.owner.write(register, bench.random.getrandbits(28) << 4 | ways)
            assert answer.error == (number in FIXED_ROUTES)
            routes[number] = routes[number] if answer.error else ways
            assert (await bench.host.read(register)).error
        assert await bench.counts("CLASS_ROUTE") == routes
        assert int(dut.class_routes.value) == sum(ways << len(Target) * n for n, ways in enumerate(routes))
        chosen = bench.random.getrandbits(4)
        await bench.set("CONSOLE_CLASS", chosen)
        assert await bench.get("CONSOLE_CLASS") == int(dut.console_class.value) == chosen
    # The ways are the machine's, the class is a tenant's.
    await bench.set("HOLD", 3)
    await bench.cycles(1)
    assert int(dut.console_class.value) == TreeClass.BROADCAST
    assert await bench.counts("CLASS_ROUTE") == routes


@cocotb.test()
async def owner_goes_first(dut):
    """Accesses of both at once are answered one after the other, each with its own answer."""
    bench = Bench(dut)
    await bench.start()
    await bench.set("CONSOLE_SEND_ID", 0x1234)
    host = cocotb.start_soon(bench.host.read(REGISTERS["CONSOLE_SEND_ID"].address))
    answer = await bench.owner.read(REGISTERS["GUARD_STATUS"].address)
    assert not answer.error and answer.value == 0b100
    assert await host == (0x1234, False)


@cocotb.test()
async def cables_are_counted(dut):
    """What the router says of each port, by epoch parity, whatever is held; what its ends say now can be read too."""
    bench = Bench(dut)
    await bench.start()
    counts = [Counter() for _ in Direction]
    for cycle in range(300):
        reports = []
        for seen in counts:
            sent, received = bench.random.randrange(3), bench.random.randrange(3)
            damaged = int(bench.random.random() < 0.1)
            seen.update({("sent", sent): 1, ("received", received): 1, "damaged": damaged})
            reports.append(_report(sent, received, damaged))
        dut.links.value = _packed(reports)
        await bench.cycles(1)
        dut.links.value = 0
        if cycle in (100, 200):
            await bench.set("HOLD", cycle == 100)
    for direction, seen in zip(Direction, counts, strict=True):
        for side in ("sent", "received"):
            counts = await bench.fields(f"LINK_{side.upper()}", direction)
            assert counts == {"even": seen[side, 1], "odd": seen[side, 2]}
        assert await bench.get("LINK_DAMAGED", direction) == seen["damaged"]
    for _ in range(12):
        rooms = [bench.random.getrandbits(30) for _ in Direction]
        dut.links.value = _packed([_report(0, 0, 0, **_ends(room)) for room in rooms])
        assert await bench.counts("LINK_ROOM") == rooms
    assert await bench.get("LINK_UNITS") == bench.parameters.link_units


@cocotb.test()
async def cables_count_modulo_65536(dut):
    """Every count of a cable wraps by itself."""
    bench = Bench(dut)
    await bench.start()
    total = 0
    for cycles in (2**16 - 1, 2):
        dut.links.value = _packed([_report(3, 3, 1) for _ in Direction])
        await ClockCycles(dut.clk, cycles)
        dut.links.value = 0
        await bench.cycles(1)
        total = (total + cycles) % 2**16
        both = [REGISTERS["LINK_SENT"].pack(even=total, odd=total) for _ in Direction]
        assert await bench.counts("LINK_SENT") == await bench.counts("LINK_RECEIVED") == both
        assert await bench.counts("LINK_DAMAGED") == [total for _ in Direction]


def _report(sent, received, damaged, *, sending=0, receiving=0, free=0, held=0):
    """What a router says of a port."""
    tx = pack(TransmitterReport, sent=sent, sending=sending, free=free)
    return pack(LinkReport, tx=tx, rx=pack(ReceiverReport, received=received, receiving=receiving, damaged=damaged,
                                           held=held))


def _ends(room):
    """What a router says of the room that LINK_ROOM has, at both ends; each has its channels side by side."""
    fields = REGISTERS["LINK_ROOM"].unpack(room)
    channels = REGISTERS["LINK_ROOM"].layout["free_priority"].width
    free, held = ((fields[f"{name}_priority"] << channels) + fields[f"{name}_escape"] for name in ("free", "held"))
    return {"sending": fields["sending"], "receiving": fields["receiving"], "free": free, "held": held}


def _packed(reports):
    """What a router says of all its ports."""
    return sum(report << LinkReport.size * direction for direction, report in enumerate(reports))


async def _pulse(signal, clock):
    """One for one cycle."""
    signal.value = 1
    await RisingEdge(clock)
    signal.value = 0


async def _count(signal, clock, seen):
    """Keep in `seen` how many cycles the signal was 1."""
    while True:
        await RisingEdge(clock)
        seen[0] += int(signal.value)


@cocotb.test()
async def hold_lasts_until_what_it_cut_is_over(dut):
    """A release waits for `unfinished`, which by itself holds nobody; to clear without hold is an error."""
    bench = Bench(dut)
    await bench.start(commit=True)
    clears = [0]
    cocotb.start_soon(_count(dut.clear, dut.clk, clears))
    await bench.cycles(2)
    dut.unfinished.value = 1
    await bench.cycles(3)
    assert not int(dut.hold.value)
    assert (await bench.owner.write(REGISTERS["HOLD"].address, REGISTERS["HOLD"].pack(clear=1))).error
    await bench.cycles(2)
    assert not int(dut.hold.value) and clears == [0]
    for clear in (0, 1):
        await bench.set("HOLD", REGISTERS["HOLD"].pack(hold=1, clear=clear))
        await bench.set("HOLD", 0)
        assert int(dut.hold.value) and await bench.get("HOLD") == REGISTERS["HOLD"].pack(hold=1, clear=1)
        assert clears == [clear]
        dut.unfinished.value = 0
        # What is cleared waits for the meter, too: for the round that is under way, and one for BASE.
        await bench.cycles(3 * round_cycles() if clear else 2)
        assert not int(dut.hold.value) and await bench.get("HOLD") == 0
        dut.unfinished.value = 1


@cocotb.test()
async def a_commit_waits_for_the_tree(dut):
    """Console packets judged before a commit, and in the cycle after it, must be finished; later ones do not count."""
    bench = Bench(dut)
    await bench.start(commit=True)
    for packets in (1, 3, 250):
        for _ in range(packets):
            await _pulse(dut.tree_passed, dut.clk)
        await bench.set("COMMIT", 1)
        await bench.cycles(2)
        await _pulse(dut.tree_passed, dut.clk)
        for _ in range(packets):
            assert (await bench.fields("GUARD_STATUS"))["drained"] == 0
            assert (await bench.owner.write(REGISTERS["COMMIT"].address, 1)).error
            await _pulse(dut.tree_retired, dut.clk)
        assert (await bench.fields("GUARD_STATUS"))["drained"] == 1
        await _pulse(dut.tree_retired, dut.clk)
    assert int(dut.commits.value) == 4


async def _told(bench):
    """All that the host can read in the guard, by address."""
    found = {}
    for register, _, address in registers_of(bench.parameters):
        if register.address >= GUARD_PAGE and register.host in (Access.RO, Access.RW, Access.W1C):
            answer = await bench.host.read(address)
            assert not answer.error
            found[address] = answer.value
    return found


async def _refuse_everywhere(bench, times):
    """Packets that all lanes refuse, both ways, and refusals of the tree in every cycle."""
    for _ in range(times):
        for lane in bench.lanes:
            bench.from_ni[lane].send(packet(header(x=lane % 4), bench.random))
            bench.from_router[lane].send(packet(header(source=20 + lane), bench.random))
    bench.dut.tree_refused.value = 1


@cocotb.test()
async def a_clear_leaves_nothing_to_the_next_tenant(dut):
    """Whatever was refused before, in the cycle of the clear and in the hold: the host reads what it read at first."""
    bench = Bench(dut)
    await bench.start(commit=True)
    dut.tree_source.value = 9
    first = await _told(bench)
    for delay in range(12):
        for index in range(bench.parameters.receive_ids):
            await bench.set("CONSOLE_RECEIVE_ID", 100 + index, index)
        for name in ("GRANTS", "CONSOLE_SEND_ID", "CONSOLE_LISTEN"):
            await bench.set(name, 1)
        await _refuse_everywhere(bench, delay if delay % 3 else 3 * bench.parameters.log_entries)
        await bench.cycles(delay)
        if delay % 3 == 0:
            await bench.cycles(20 * bench.parameters.log_entries)
            assert await bench.get("LOG_COUNT") == bench.parameters.log_entries and await bench.get("LOG_LOST")
        await bench.set("HOLD", 3)
        await bench.cycles(1)
        assert int(dut.receive_ids.value) == int(dut.receive_valid.value) == int(dut.send_id.value) == 0
        await _refuse_everywhere(bench, 2)
        await bench.cycles(30)
        for register in (*(REGISTERS["REFUSED"].at(index) for index in range(16)), REGISTERS["LOG_COUNT"].at(),
                         REGISTERS["LOG_LOST"].at(), REGISTERS["LOG_NODES"].at(), REGISTERS["GRANTS"].at()):
            assert (await bench.owner.read(register)).value == 0
        for source in (*bench.from_ni, *bench.from_router):
            source.flush()
        dut.tree_refused.value = 0
        await bench.cycles(20)
        refused = sum([await bench.get("REFUSED_IN", parity) for parity in range(2)])
        assert refused
        await bench.set("HOLD", 0)
        assert await _told(bench) == first, delay
    # What comes afterwards is the next tenant's own.
    dut.tree_refused.value = 1
    await bench.cycles(1)
    dut.tree_refused.value = 0
    await bench.cycles(4)
    assert await bench.get("LOG_COUNT") == 1
    logged = (await bench.host.read(REGISTERS["LOG_NODES"].at())).value
    assert logged == REGISTERS["LOG_NODES"].pack(source=9, destination=bench.model.id)


@cocotb.test()
async def a_hold_without_clear_keeps_what_the_tenant_has(dut):
    """Keys, grant, log and counts are still there."""
    bench = Bench(dut)
    await bench.start(commit=True)
    await bench.set("CONSOLE_SEND_ID", 7)
    await bench.set("GRANTS", 1)
    dut.tree_refused.value = 1
    await bench.cycles(3)
    dut.tree_refused.value = 0
    await bench.cycles(9)
    before = await _told(bench)
    await bench.set("HOLD", 1)
    await bench.set("HOLD", 0)
    await bench.cycles(2)
    assert await _told(bench) == before
    assert before[REGISTERS["LOG_COUNT"].at()] == 3


@cocotb.test()
async def the_owner_finds_what_it_loaded(dut):
    """REVISION goes with the tables; TABLE_CRC is zlib's over all writes to the bank since it was begun anew."""
    bench = Bench(dut)
    await bench.start()
    words = bench.parameters.table_words
    banks, epoch = [(0, 0), (0, 0)], 0

    async def load(writes, *, anew=False):
        """To the shadow."""
        revision, total = banks[1 - epoch]
        if anew:
            await bench.set("TABLE_CRC", bench.random.getrandbits(32))
            total = 0
        for name, index, value in writes:
            await bench.set(name, value, index)
            total = zlib.crc32(struct.pack("<HI", REGISTERS[name].at(index), value), total)
            revision = value if name == "REVISION" else revision
        banks[1 - epoch] = revision, total

    async def commit():
        nonlocal epoch
        await bench.set("COMMIT", 1)
        await bench.cycles(2)
        epoch = 1 - epoch

    async def read():
        return await bench.get("REVISION"), await bench.get("TABLE_CRC")

    def some(revision):
        return [("REVISION", 0, revision),
                *((name, index, bench.random.getrandbits(32)) for name, count in (
                    ("ROW", words), ("COLUMN", words), ("REACH", 6)) for index in range(count))]

    assert await read() == (0, 0)
    # Each bank gets a number, its complement, and the number again.
    two = [bench.random.getrandbits(32) for _ in range(2)]
    revisions = [*two, *(revision ^ 0xFFFFFFFF for revision in two), *two]
    for round_, revision in enumerate(revisions):
        # What an owner before loaded by half does not count.
        await load(some(0xBAD)[:round_ * 2])
        await load(some(revision), anew=True)
        await bench.set("GRANTS", 0)
        await bench.set("CONSOLE_SEND_ID", round_)
        assert await read() == banks[epoch]
        await commit()
        assert await read() == banks[epoch]
    # A commit of nothing brings back the tables before, their revision and their sum; what is loaded then goes on.
    await commit()
    assert await read() == banks[epoch] == (revisions[-2], banks[epoch][1])
    for round_ in range(4):
        await load(bench.random.sample(some(round_), 3))
        await commit()
        assert await read() == banks[epoch]
    # Without any write the sum that begins anew is 0.
    await load([], anew=True)
    await commit()
    assert await read() == (banks[epoch][0], 0)
