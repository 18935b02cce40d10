"""One reading of a machine file tells every error that does not follow from another, and none that does."""

import re
from pathlib import Path

import pytest

from khhw.machine.reading import MachineFileError, load

RIGHT = """\
name = "right"
seed = 3
[torus]
shape = [4, 1, 1]
[node]
lanes = 3
slots = 4
table_nodes = 32
memory_bytes = 2097152
injection_rings = 4
reception_rings = 3
counters = 64
log_entries = 32
receive_ids = 3
bubble = "slots"
[parts]
router = "rtl.torus.router:Router"
memory = "rtl.memory:NodeMemory"
[host]
cpu = "ppc450"
cpu_scale = 2.0
clock_hz = 53125000
max_cycles = 100000
[domains.rules]
rules = [
  "0 -> 0-3",
  "1 <-> 2",
]
[domains.groups]
groups = { "all" = [0, 1, 2, 3] }
[domains.matrix]
matrix = [
  [1, 1, 0, 0],
  [1, 1, 0, 0],
  [0, 0, 1, 0],
  [0, 0, 0, 1],
]
[[phases]]
name = "matrix"
domains = "rules"
cpu = "ideal"
cpu_scale = 1.0
measure = "matrix"
[[phases.kernels]]
kernel = "probe"
nodes = "all"
arguments = "seed={seed} settle=600"
[[phases]]
name = "latency"
domains = "groups"
measure = "latency"
[[phases.kernels]]
kernel = "latency"
nodes = [0, 1]
arguments = "source=0 destinations=1"
service = false
[[phases.kernels]]
kernel = "chat"
nodes = [2]
[memcached]
server = 0
clients = [1, 2]
domains = "groups"
sizes = [64, 256]
size = 64
scales = [0.5, 1.0]
operations = 70
tail_operations = 1000
[serve]
server = 1
gateway = 2
kernel = "memcached"
arguments = "epoch={epoch} clock_hz={clock_hz} connections={connections}"
stream_port = 11211
port = 11212
console_port = 2300
clients = 40
domains = "groups"
"""
LINES = RIGHT.splitlines()
KEYS = [number for number, line in enumerate(LINES, 1) if re.match(r"\w+ = ", line)]
TABLES = [number for number, line in enumerate(LINES, 1) if re.match(r"\[\[?[a-z.]+\]", line)]

SLIPS = {
    2: "seed = -1", 4: "shape = [4, 1, 0]", 6: "lanes = 9", 8: "table_nodes = 33", 10: "injection_rings = 1",
    12: "counters = 2", 17: 'router = "nowhere:Router"', 20: 'cpu = "x86"', 27: '  "0 => 3",',
    30: "groups = { all = [] }", 33: "  [1, 1, 0, 5],", 40: 'domains = "rulez"', 43: 'measure = "matrixx"',
    47: 'arguments = "seed={seed} a\\n"', 49: 'name = "2"', 53: 'kernel = "latencyy"', 58: 'kernel = "chatt"',
    64: "sizes = [64, 64]", 66: "scales = [0.5, 0.0001]", 71: "gateway = 1", 72: 'kernel = "memcachedd"',
    77: "clients = 4000", 78: 'domains = "nowhere"',
}
"""By line, what has nothing to do with the others."""


def errors(folder: Path, lines: dict[int, str]) -> list[tuple[int, str]]:
    """What is said of the right file with other lines."""
    file = folder / "machine.toml"
    file.write_text("\n".join(lines.get(number, line) for number, line in enumerate(LINES, 1)) + "\n")
    try:
        load(file)
    except MachineFileError as error:
        return error.problems
    return []


def test_it_is_right(tmp_path: Path) -> None:
    assert errors(tmp_path, {}) == []


@pytest.mark.parametrize("line", KEYS)
def test_nothing_follows_from_a_misspelt_key_or_a_value_of_another_kind(tmp_path: Path, line: int) -> None:
    key, _, value = LINES[line - 1].partition(" = ")
    (found,) = errors(tmp_path, {line: f"{key}x = {value}"})
    assert found[0] == line and re.search("unknown key|should be 'router', 'guard'", found[1])
    found, *more = errors(tmp_path, {line: f"{key} = {7 if value == 'false' else 'true'}"} | (
        # The rest of a list over several lines.
        dict.fromkeys(range(line + 1, LINES.index("]", line) + 2), "") if value == "[" else {}))
    assert found[0] == line and not more


@pytest.mark.parametrize("line", [line for line in TABLES if LINES[line - 1] != "[[phases]]"])
def test_nothing_follows_from_a_misspelt_table(tmp_path: Path, line: int) -> None:
    (found,) = errors(tmp_path, {line: re.sub(r"(kernels|^\[[a-z]+)", r"\1x", LINES[line - 1])})
    # A table of a name is where its first key is.
    assert found[0] in (line, line + 1) and "unknown key" in found[1]


@pytest.mark.parametrize("line", SLIPS)
def test_a_slip_is_one_error(tmp_path: Path, line: int) -> None:
    (found,) = errors(tmp_path, {line: SLIPS[line]})
    # A kernel is where its table begins.
    assert found[0] in (line, line - 1)


def test_many_slips_are_as_many_errors(tmp_path: Path) -> None:
    apart = [found for line in SLIPS for found in errors(tmp_path, {line: SLIPS[line]})]
    together = errors(tmp_path, SLIPS)
    assert [line for line, _ in together] == sorted(line for line, _ in apart)
    assert {words for _, words in together} == {words for _, words in apart}


@pytest.mark.parametrize(("lines", "wanted"), [
    ({4: "shape = [0, 1, 1]", 26: '  "9 -> x",', 30: "groups = { all = [1, 1] }", 34: "  [1, 1, 0],"},
     {4: "sizes from 1 to 64", 26: "'x' is no node", 30: "node 1 is in the group twice", 34: "3 columns for 4 nodes"}),
    ({6: 'lanes = "x"', 7: "slots = 99", 8: "table_nodes = true"}, {6: "not 'x'", 7: "not 99", 8: "not True"}),
    ({26: '  "7 -> 8",', 27: "  5,", 54: 'nodes = [0, "x", 9]'},
     {26: "no node 8", 27: "valid string, not 5", 54: "valid integer, not 'x'", 52: "no node 9"}),
    ({33: "  [1, 1, 0, 5],", 34: "  [1, 1, 0],", 35: "  5,"}, {33: "0 or 1, not 5", 34: "3 columns", 35: "not 5"}),
    ({46: "nodes = [0]", 45: 'kernel = "nonsense"', 47: "arguments = '{sed}'"},
     {44: "no kernel 'nonsense'", 47: "{sed} stands for nothing"}),
    ({54: "nodes = []", 59: "nodes = [70000]", 4: "shape = 4"},
     {4: "valid array", 52: "nodes names none", 57: "no node 70000; nodes are 0 to 65535"}),
    ({9: "memory_bytes = 4096", 47: 'arguments = "seed={seed} a\\n"', 72: 'kernel = "no"'},
     {9: "at least 32768 bytes", 47: "control characters", 60: "node.memory_bytes = 2097152", 72: "no kernel 'no'"}),
])
def test_what_is_left_of_a_list_or_a_table_is_checked(
    tmp_path: Path, lines: dict[int, str], wanted: dict[int, str],
) -> None:
    found = errors(tmp_path, lines)
    assert dict.fromkeys(wanted, True) == {
        line: any(at == line and words in message for at, message in found) for line, words in wanted.items()}
    assert {line for line, _ in found} == set(wanted)


def test_entries_that_are_left_out_do_not_move_the_others(tmp_path: Path) -> None:
    file = tmp_path / "machine.toml"
    file.write_text("[torus]\nshape = [2, 1, 1]\nx = 1\n[domains]\na.rules = [\n5,\n'0 -> 1',\n6,\n'0 -> 7',\n]\n")
    with pytest.raises(MachineFileError) as caught:
        load(file)
    assert [line for line, _ in caught.value.problems] == [3, 6, 8, 9]
