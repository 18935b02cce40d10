"""A service that rents and hands back, as fast as its machine follows, until it is killed.

``python -m tests.cloud.living_service STATE FILE DIARY TURNS``: goes on where the diary stops. What it is about to ask
stands in the diary before it asks, with the key; what it was told, behind it. It asks again what it has no answer to,
and, once, what it has the last answer to.
"""

import json
import sys
from pathlib import Path

from khhw.cloud.client import SimulatedMachine
from khhw.cloud.core import Core
from khhw.cloud.errors import CloudError
from khhw.cloud.models import Acquire
from khhw.machine.machine import Machine

PEOPLE = ("alice", "bob", "carol")


class Diary:
    """What was asked and told, one line each. Lines that were torn by a death are no lines."""

    def __init__(self, file):
        self._file = file
        text = file.read_text() if file.exists() else ""
        self._torn = text and not text.endswith("\n")
        self.lines = [json.loads(line) for line in text.splitlines() if whole(line)]

    def add(self, *line):
        self.lines.append(list(line))
        with self._file.open("a") as file:
            file.write("\n" * bool(self._torn) + json.dumps(line) + "\n")
        self._torn = False


def whole(line):
    """Whether it is a line of a diary."""
    try:
        return isinstance(json.loads(line), list)
    except ValueError:
        return False


def caller(core, name):
    return core.principals.authenticate(f"the token of {name}".ljust(32))


def wish(core, turn):
    """What is asked for at a turn: who, and a lease to release, or how many nodes to acquire."""
    who = PEOPLE[turn % len(PEOPLE)]
    leases = [lease.uuid for lease in core.leases.all(caller(core, who)) if lease.status == "active"]
    if leases and turn % 2:
        return who, {"release": leases[0]}
    return who, {"acquire": 1 + turn % 3}


def ask(core, key, who, what):
    """The answer in a form that can be compared, whatever it is."""
    try:
        if "release" in what:
            return core.leases.release(caller(core, who), key, what["release"]).model_dump(mode="json")
        return core.leases.acquire(caller(core, who), key, Acquire(count=what["acquire"])).model_dump(mode="json")
    except CloudError as error:
        # Of a refusal nothing is kept: it may be granted when it is asked for again.
        return {"refused": error.kind.name}


def main():
    state, file, diary, turns = Path(sys.argv[1]), sys.argv[2], Diary(Path(sys.argv[3])), int(sys.argv[4])
    machine = SimulatedMachine(state, Machine.load(file, engine="native"))
    core = Core.open(state, machine.info)
    core.connect(machine)
    asked = [line for line in diary.lines if line[0] == "asked"]
    if asked:
        _, key, who, what = asked[-1]
        diary.add("told", key, ask(core, key, who, what))
    for turn in range(len(asked), int(turns)):
        key = f"key{turn}"
        who, what = wish(core, turn)
        diary.add("asked", key, who, what)
        diary.add("told", key, ask(core, key, who, what))
        core.step()
        diary.add("pid", machine.pid)
    while core.step() or core.intents.all(caller(core, "owner")):
        pass
    print(core.check(machine).model_dump_json())
    core.close()
    machine.close()


if __name__ == "__main__":
    main()
