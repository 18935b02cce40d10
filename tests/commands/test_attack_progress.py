"""What ``khhw attack`` says while it runs: the machines with mutants are no part of what is left of the first."""

import json
import re

from khhw.cli import main
from khhw.fuzz import campaign
from khhw.fuzz.campaign import Findings
from khhw.fuzz.mutants import MUTANTS


def attacked(monkeypatch, capsys, *arguments):
    """Lines on standard error of attacks that take no time; those on machines with a bug find it at once."""
    clock = iter(range(0, 10_000_000, 10))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))

    def attack(node, parts=None, *, seed, packets, tell):
        found = Findings()
        for _ in range(1 if parts else 20):
            found.packets += packets // 20
            found.violations += [campaign.Violation("run", "a leak")] if parts else []
            tell(found)
        return found

    monkeypatch.setattr(campaign, "attack", attack)
    assert main(["attack", "--packets", "2000", "--json", *arguments]) == 0
    output = capsys.readouterr()
    json.loads(output.out)
    return output.err.splitlines()


def test_each_line_says_which_of_all_machines_it_is_of(monkeypatch, capsys):
    lines = attacked(monkeypatch, capsys)
    count = 1 + len(MUTANTS)
    names = ["the design", *(bug.name for bug in MUTANTS)]
    for number, name in enumerate(names, 1):
        own = [line for line in lines if line.startswith(f"{number} of {count}, {name}: ")]
        assert own[0].endswith("building, unless it is cached") and len(own) > 1
    left = [line for line in lines if " left" in line]
    assert left and all(line.startswith(f"1 of {count}, ") for line in left)
    assert all("; for the design alone " in line for line in left)


def test_what_is_left_of_one_machine_is_all(monkeypatch, capsys):
    lines = attacked(monkeypatch, capsys, "--bug-packets", "0")
    left = [line for line in lines if " left" in line]
    assert left and all(re.search(r"leaks; [^;]* left", line) for line in left)
    assert not any("alone" in line for line in lines)
