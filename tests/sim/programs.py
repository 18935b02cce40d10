"""Programs for the stand-in machine: functions a simulator process enters."""

import random
import threading
import time

from khhw.host.inbox import Inbox
from khhw.host.sync import Event, timeout
from khhw.host.transport import NodeTransport, RootTransport
from khhw.node import BusError
from khhw.sim.reports import report

SCRATCH, DELAY, CLEAR, TIME, NOWHERE = 0, 4, 8, 12, 16


class Program:
    """Notes of tasks and the trace of events, as results."""

    def __init__(self, host):
        self.notes, self.trace = [], []
        host.scheduler.observer = lambda *event: self.trace.append(list(event))

    def note(self, port, *facts):
        self.notes.append([port.now, *facts])

    def results(self, outcome):
        return {"notes": self.notes, "trace": self.trace}

    def stuck(self, read):
        return [f"quiescent is {read('quiescent'):#b}", f"irq is {read('irq'):#b}"]


class Thorough(Program):
    """Needs longer for its results than whoever stops it waits before asking again."""

    def results(self, outcome):
        time.sleep(4)
        return super().results(outcome)


async def worker(program, node: NodeTransport, seed, rounds):
    """Everything a transport offers, in an order and at times that depend on `seed`."""
    rng = random.Random(f"{seed} {node.rank}")
    for _ in range(rounds):
        value = rng.getrandbits(32)
        await node.write(SCRATCH, value)
        assert await node.read(SCRATCH) == value
        try:
            await node.write(NOWHERE, 1)
        except BusError as error:
            program.note(node, node.rank, str(error))
        first, start = await node.read(TIME), node.now
        words = rng.randbytes(32)
        node.poke(0, words)
        node.poke(3, b"mark")
        await node.write(DELAY, rng.randint(1, 60))
        await node.interrupt()
        copied = node.peek(32, 32)
        assert copied == words[:3] + b"mark" + words[7:] == node.peek(0, 32)
        await node.write(CLEAR, 0)
        try:
            async with timeout(rng.randint(5, 50)):
                await node.interrupt()
        except TimeoutError:
            program.note(node, node.rank, "no second interrupt", start - first)
        await node.sleep(rng.choice([0, 1, 2, 15, 18, 400]))


async def echo(program, root: RootTransport, seed, rounds):
    """Packets into the root, and out of it again."""
    rng = random.Random(seed)
    for _ in range(rounds):
        packets = [([rng.getrandbits(64) for _ in range(rng.randint(1, 8))], rng.randint(0, 1)) for _ in range(3)]
        for packet in packets:
            await root.send(*packet)
            program.note(root, "sent", len(packet[0]))
        for packet in packets:
            assert await root.receive() == packet
        program.note(root, "echoed")
        await root.sleep(rng.choice([3, 30, 300]))


def mixed(host, arguments):
    """Both nodes and the root at work."""
    program = Program(host)
    for node in host.nodes:
        host.scheduler.spawn(worker(program, node, **arguments), rank=node.rank, name=f"worker {node.rank}")
    host.scheduler.spawn(echo(program, host.root, **arguments), name="echo")
    return program


def phases(host, arguments):
    """The cycle numbers of single operations."""
    program = Program(host)

    async def note(node):
        program.note(node, "start")
        program.note(node, "time register", await node.read(TIME))
        node.poke(0, bytes(range(32)))
        await node.write(DELAY, 5)
        program.note(node, "written")
        await node.interrupt()
        program.note(node, "interrupt")
        await node.interrupt()
        program.note(node, "interrupt again")
        await node.sleep(1_000_000)
        program.note(node, "time register", await node.read(TIME))

    host.scheduler.spawn(note(host.nodes[0]), rank=0)
    return program


def hopeless(host, arguments):
    """Waits for what never comes, while node 0 counts down for `delay` cycles."""
    program = Program(host)

    async def wait(node):
        await node.write(DELAY, arguments["delay"])
        await host.nodes[1].interrupt()

    host.scheduler.spawn(wait(host.nodes[0]), rank=0, name="waiter")
    return program


def failing(host, arguments):
    """Fails in cycle 7."""
    program = Program(host)

    async def fail(node):
        await node.sleep(7)
        raise ValueError("on purpose")

    host.scheduler.spawn(fail(host.nodes[1]), rank=1, name="victim")
    return program


def endless(host, arguments):
    """Busy for ever; tells when it has begun."""
    program = Thorough(host) if arguments.get("thorough") else Program(host)

    async def turn(node):
        await node.write(DELAY, 0xFFFFFFFF)
        report("begun")
        while True:
            await node.sleep(1000)
            program.note(node, "alive")

    host.scheduler.spawn(turn(host.nodes[0]), rank=0, name="turner")
    return program


class Visitor(threading.Thread):
    """Outside the simulation: knocks `count` times, `pause` seconds after it was heard, if it is let run so soon."""

    def __init__(self, inbox, count, pause):
        super().__init__(daemon=True)
        self.inbox, self.count, self.pause = inbox, count, pause
        self.knocked = self.seen = None
        self.heard = threading.Event()

    def run(self):
        for number in range(self.count):
            self.heard.clear()
            self.knocked = time.monotonic() + self.pause
            time.sleep(self.pause)
            self.inbox.post(1, lambda number=number: self.seen(number), "visitor")
            self.heard.wait()


def outside(host, arguments):
    """Somebody knocks on a machine that is idle, or busy; node 0 meanwhile has a timer that is due much later."""
    program = Program(host)
    host.inbox = Inbox()
    visitor = Visitor(host.inbox, arguments["count"], arguments["pause"])
    door = Event("a knock")

    def seen(number):
        program.note(host.nodes[1], "knock", number, time.monotonic() - visitor.knocked)
        door.set()

    async def hear(node):
        if arguments["busy"]:
            await host.nodes[0].write(DELAY, 0xFFFFFFFF)
        visitor.start()
        wall, cpu = time.monotonic(), time.process_time()
        for _ in range(visitor.count):
            await door.wait()
            door.clear()
            visitor.heard.set()
        program.note(node, "gone", time.monotonic() - wall, time.process_time() - cpu)

    async def ring(node):
        await node.sleep(arguments["timer"])
        program.note(node, "timer")

    visitor.seen = seen
    host.figures = lambda: {"waited": host.inbox.waited_seconds}
    host.scheduler.spawn(hear(host.nodes[1]), rank=1, name="hearer")
    if arguments["timer"]:
        host.scheduler.spawn(ring(host.nodes[0]), rank=0, name="timer", daemon=True)
    return program


def speed(host, arguments):
    """Register accesses, interrupts, memory copies, or nothing at all, on some nodes."""
    program = Program(host)
    host.scheduler.observer = None

    async def run(node):
        began, cycle = time.perf_counter(), node.now
        if arguments["kind"] == "accesses":
            for value in range(arguments["count"]):
                await node.write(SCRATCH, value)
        elif arguments["kind"] == "interrupts":
            for _ in range(arguments["count"]):
                await node.write(DELAY, 40)
                await node.interrupt()
                await node.write(CLEAR, 0)
        elif arguments["kind"] == "memory":
            for _ in range(arguments["count"]):
                node.poke(0, node.peek(0, 2048))
        else:
            await node.write(DELAY, 0xFFFFFFFF)
            await node.sleep(arguments["count"])
        program.note(node, time.perf_counter() - began, node.now - cycle)

    for node in host.nodes[: arguments.get("nodes", 2)]:
        host.scheduler.spawn(run(node), rank=node.rank)
    return program
