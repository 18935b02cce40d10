"""Small simulated machines for tests of the cloud; they end with their test."""

import os
import signal
import threading
import time
from contextlib import contextmanager

from khhw.cloud.agreement import differences
from khhw.cloud.client import SimulatedMachine
from khhw.cloud.machine import ConsoleKeys, MachineError, Revision
from khhw.control.tree_classes import ROUTED_CLASSES
from khhw.machine.machine import Machine
from rtl.formats import TreeClass

SMALL = '[torus]\nshape = [2, 2, 1]\n[node]\ntraffic = true\n'
"""Of a node that has little memory to clear, and is built for other tests too."""


def machine_of(folder, text=SMALL):
    """A machine by its file's text."""
    file = folder / "machine.toml"
    file.write_text(text)
    return Machine.load(file, engine="native")


@contextmanager
def simulated(folder, text=SMALL, machine=None):
    """A machine with its own state folder, not connected yet; switched off in the end, whoever has it then."""
    state = folder / "state"
    state.mkdir(exist_ok=True)
    found = SimulatedMachine(state, machine or machine_of(folder, text))
    try:
        yield found
    finally:
        ended(found)


def ended(machine):
    """End the simulator of a machine's state folder, if one runs."""
    try:
        if machine.find() is not None:
            machine.switch_off()
    except MachineError:
        pass


def killed(machine):
    """Kill the simulator as a power cut does; returns when the connection knows."""
    os.kill(machine.pid, signal.SIGKILL)
    soon(lambda: not machine.alive)


def soon(condition, seconds=60):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.01)


def keys(channel):
    """Of nodes that speak on a low channel by the class of the same number."""
    return ConsoleKeys(channel, (channel,), channel if channel in ROUTED_CLASSES else TreeClass.BROADCAST)


def revision(number, leases, hand_over=()):
    """A revision in which the nodes of each channel may send to each other."""
    allowed = {rank: tuple(ranks) for ranks in leases.values() for rank in ranks}
    of = {rank: channel for channel, ranks in leases.items() for rank in ranks}
    return Revision(number, allowed, {rank: keys(channel) for rank, channel in of.items()}, of, frozenset(hand_over))


def agrees(machine, wanted):
    """Nothing in the machine's registers is otherwise than a revision says."""
    return differences(wanted, machine.nodes(), machine.info.shape) == {}


class Ear:
    """Keeps what is heard on a channel."""

    def __init__(self, machine, channel):
        self.heard = []
        self._new = threading.Condition()
        self.listening = machine.listen(channel, self._take)

    def _take(self, heard):
        with self._new:
            self.heard.append(heard)
            self._new.notify_all()

    @property
    def lines(self):
        """Whole lines, node after node."""
        texts = {}
        for heard in self.heard:
            texts[heard.rank] = texts.get(heard.rank, b"") + heard.data
        return [line for rank in sorted(texts) for line in texts[rank].decode(errors="replace").splitlines()]

    def wait(self, *wanted, seconds=60):
        """Until there is a line with each of these texts."""
        with self._new:
            if not self._new.wait_for(
                    lambda: all(any(text in line for line in self.lines) for text in wanted), seconds):
                raise AssertionError(f"not all of {wanted} in: " + "\n".join(self.lines)[-2000:])
