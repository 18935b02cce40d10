"""A machine that comes to no end names its packets: where each is and what it waits for."""

import re
from pathlib import Path

import pytest

from khhw.machine.design import design_of
from khhw.machine.machine import Machine
from khhw.machine.stuck import stuck_packets
from khhw.node import Shape
from rtl.fabric import Fabric
from rtl.formats import Descriptor, Flit, Header, pack
from rtl.parameters import Parameters

HERE = Path(__file__).parent
SHAPE = Shape(2, 4, 1)
MACHINE = """
name = "{name}"

[torus]
shape = [2, 4, 1]

[node]
lanes = 1
bubble = "off"
table_nodes = 32

[host]
max_cycles = {cycles}

[domains.open]
groups.all = [0, 1, 2, 3, 4, 5, 6, 7]

[[phases]]
name = "flood"
domains = "open"
kernels = [{{ kernel = "flood.py", arguments = "seed={{seed}} near={near}" }}]
"""
IN_PORT = re.compile(
    r"node (\d): packet (\d) -> (\d) of \d+ bytes in port ([XY][PM]) on escape (waits for .*|waits behind .*|is in .*)")


def run(tmp_path, name, cycles, near=20, engine="cocotb"):
    """A flooded torus whose bubble rule is off."""
    (tmp_path / "flood.py").write_text((HERE / "flood.py").read_text())
    file = tmp_path / "machine.toml"
    file.write_text(MACHINE.format(name=name, cycles=cycles, near=near))
    return Machine.load(file, engine=engine).run(tmp_path / "out", seed=1)


def buffered(message):
    """What is said of packets in input buffers: (node, source, destination, port, cause)."""
    found = [match.groups() for line in message.splitlines() if (match := IN_PORT.fullmatch(line))]
    return [(int(node), int(source), int(there), port, cause) for node, source, there, port, cause in found]


@pytest.mark.rare
def test_a_locked_ring_names_every_packet(tmp_path):
    results = run(tmp_path, "locked", 3_000_000)
    assert results.state == "deadlocked", results.message
    assert "the machine is busy, but nothing happened" in results.message
    found = buffered(results.message)
    waiting = "waits for a credit of output YP on escape (0 left, needs 1)"
    heads = {node for node, _, there, port, cause in found if (port, cause) == ("YM", waiting) and there != node}
    rings = [ring for x in range(SHAPE.x) if (ring := {SHAPE.rank((x, y, 0)) for y in range(SHAPE.y)}) <= heads]
    assert rings, "a ring is locked: in each of its nodes a head that has not arrived waits for the next"
    for node in rings[0]:
        behind = [cause for at, _, _, port, cause in found if (at, port) == (node, "YM") and cause != waiting]
        assert behind == ["waits behind the packet before it"] * 2, "a buffer has room for three packets, and is full"
    assert re.search(r"node \d: packet \d -> \d of \d+ bytes in injection lane 0 waits for", results.message)
    assert len(re.findall(r"node \d: injection ring 0 has \d+ messages? left", results.message)) == SHAPE.nodes
    assert "owner waits for" in results.message


@pytest.mark.rare
def test_a_run_that_is_out_of_cycles_names_packets_on_their_way(tmp_path):
    results = run(tmp_path, "short", 12_000, near=80)
    assert (results.state, results.cycles) == ("out_of_cycles", 12_000), results.message
    assert "the limit of 12000 cycles is reached" in results.message
    for node in range(SHAPE.nodes):
        assert f"node {node}: injection ring 0 has" in results.message
    found = buffered(results.message)
    assert found, "a flooded torus has packets in its buffers"
    for node, source, there, port, _ in found:
        (at_x, at_y, _), (_, from_y, _), (to_x, to_y, _) = (SHAPE.coordinate(rank) for rank in (node, source, there))
        assert at_x == to_x, "x comes before y"
        assert (at_y - from_y) % SHAPE.y <= (to_y - from_y) % SHAPE.y <= SHAPE.y // 2, "the node is on the way"
        assert (port == "YM") == (at_y != from_y)


def test_what_the_parts_offer_is_there(tmp_path):
    file = tmp_path / "machine.toml"
    file.write_text("[torus]\nshape = [2, 1, 1]\n")
    machine = Machine.load(file)
    public = {(signal.module, signal.name) for signal in design_of(machine.file, tmp_path).public}
    offered = Fabric((2, 1, 1), Parameters()).observable_signals
    assert len(offered) > 100
    assert set(offered) <= public


class Signals(dict):
    """Registers of a machine that was stopped, by path; others are 0, as long as `known` names their beginning."""

    def __init__(self, known, values):
        super().__init__(values)
        self.known = known

    def __missing__(self, path):
        if path.startswith(self.known):
            return 0
        raise KeyError(path)


def flit(data=0, **marks):
    return pack(Flit, data=data, **marks)


def fifo(path, depth, flits, *, gone=()):
    """Registers of a buffer that holds `flits` behind those `gone`."""
    rows = [*gone, *flits]
    values = {f"{path}.storage[{index % (depth - 1)}]": row for index, row in enumerate(rows)}
    return values | {f"{path}.r_rdy": 1, f"{path}.r_data": flits[0], f"{path}.inner_level": len(flits) - 1,
                     f"{path}.r_port__addr": (len(gone) + 1) % (depth - 1)}


@pytest.mark.parametrize("left", [1, 4, 7])
def test_a_packet_whose_header_has_left_is_still_named(left):
    packet = [flit(pack(Header, x=1, size=1, source=0), first=1), *(flit(last=index == 6) for index in range(7))]
    values = fifo("node_1.router.input_xm.buffer_escape", 96, packet[left:], gone=packet[:left])
    lines = stuck_packets(Shape(2, 1, 1), Parameters(lanes=1), Signals("node_", {"quiescent": 1, **values}).__getitem__)
    assert lines == ["node 1: packet 0 -> 1 of 64 bytes in port XM on escape is in the middle of its way to "
                     f"ejection lane 0, {8 - left} flits of it here"]


@pytest.mark.parametrize(("full", "words"), [
    (94, "packet 0 -> 1 of 64 bytes in port XM on escape is in the middle of its way to ejection lane 0, "
         "7 flits of it here"),
    (95, "a packet, its header gone on, is in the middle of its way, 7 flits of it in port XM on escape"),
])
def test_a_header_that_was_written_over_is_not_made_up(full, words):
    packet = [flit(pack(Header, x=1, size=1, source=0), first=1), *(flit(last=index == 6) for index in range(7))]
    new = flit(pack(Header, x=1, size=7, source=1), first=1)
    values = fifo("node_1.router.input_xm.buffer_escape", 96, [*packet[1:], *[new] * (full - 7)], gone=packet[:1])
    lines = stuck_packets(Shape(2, 1, 1), Parameters(lanes=1), Signals("node_", {"quiescent": 1, **values}).__getitem__)
    assert lines[0] == f"node 1: {words}"
    assert len(lines) == 1 + full - 7


@pytest.mark.parametrize(("bubble", "size", "credits", "words"), [
    ("slots", 0, 1, "a credit of output XP on escape (1 left, needs 2)"),
    ("slots", 0, 2, "its turn at output XP"),
    ("off", 0, 1, "its turn at output XP"),
    ("chunks", 3, 7, "a credit of output XP on escape (7 left, needs 8)"),
    ("chunks", 3, 8, "its turn at output XP"),
])
def test_what_enters_a_ring_waits_for_the_room_the_bubble_rule_wants(bubble, size, credits, words):
    head = pack(Header, x=1, hint=0x20, size=size, source=0, vc=2)
    lines = stuck_packets(Shape(2, 1, 1), Parameters(lanes=1, bubble=bubble), Signals("node_", {
        "quiescent": 2, "node_0.router.injection_0.valid": 1, "node_0.router.injection_0.routed": flit(head, first=1),
        "node_0.router.output_xp.credits_escape": credits}).__getitem__)
    assert lines == [f"node 0: packet 0 -> 1 of {32 * (size + 1)} bytes in injection lane 0 waits for {words}"]


def test_messages_left_in_a_ring_are_counted_round_its_end():
    head = pack(Header, x=1, size=0)
    ring = "node_0.ni.rings.ring_0"
    lines = stuck_packets(Shape(2, 1, 1), Parameters(lanes=1), Signals("node_", {
        "quiescent": 2, f"{ring}.base": 64, f"{ring}.size": 8, f"{ring}.head": 7, f"{ring}.tail": 2,
        "node_0.memory.ram[71]": pack(Descriptor, length=500, header=head)}).__getitem__)
    assert lines == ["node 0: injection ring 0 has 3 messages left; the first is of 500 bytes to 1"]


def test_a_node_that_shows_nothing_is_named_as_busy():
    lines = stuck_packets(Shape(2, 1, 1), Parameters(), Signals("", {"quiescent": 1}).__getitem__)
    assert lines == ["node 1: is busy, but nothing is seen to wait in it"]
    lines = stuck_packets(Shape(2, 1, 1), Parameters(), Signals("-", {"quiescent": 2}).__getitem__)
    assert lines == ["node 0: is busy, but nothing is seen to wait in it"]
