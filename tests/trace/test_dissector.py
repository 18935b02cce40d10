"""The dissector shows every field of every format as Python unpacks it."""

import random
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from khhw.cli import main
from khhw.export.documented import plain
from khhw.trace.dissector import dissector, filter_of, value_names, values_of
from khhw.trace.pcapng import CaptureWriter, LinkType, Way
from rtl.codec import Codec
from rtl.formats import (
    FIELDS,
    FLIT_BITS,
    FORMATS,
    ControlOp,
    ControlWord,
    Descriptor,
    FifoHeader,
    Header,
    LinkHeader,
    Protocol,
    PutHeader,
    TorusLinkHeader,
    TrafficHeader,
    TreeClass,
    TreeHeader,
    VirtualChannel,
    pack,
    unpack,
)
from tests.trace.captures import rows, tshark

PACKETS = 30
"""Of each kind."""
VALUES = {("Header", "vc"): VirtualChannel, ("TreeHeader", "tree_class"): TreeClass,
          ("LinkHeader", "protocol"): Protocol,
          ("TorusLinkHeader", "protocol"): Protocol, ("ControlWord", "op"): ControlOp}
TEXT = "grüße"

Shown = list[tuple[str, int]]
"""Formats in the order they are shown, and their values."""


def anything(rng: random.Random, name: str, **fixed: int) -> int:
    """A random value of a format, some of its fields given."""
    layout = FORMATS[name]
    value = rng.getrandbits(layout.size) & ~Codec.of(layout).mask(*fixed)
    return value | pack(layout, **fixed)


def torus_packets(rng: random.Random) -> Iterator[tuple[Shown, list[int]]]:
    """Messages, puts, packets of the traffic generator, beginnings of frames, and remote gets of two descriptors."""
    for number in range(PACKETS):
        payload = [rng.getrandbits(FLIT_BITS) for _ in range(30)]
        for fixed, second in (({"dma": 0, "pid0": 0}, "FifoHeader"),
                              ({"dma": 0, "pid0": 1, "pid1": 1}, "TrafficHeader"), ({"dma": 1}, "PutHeader")):
            header = anything(rng, "Header", vc=number % 4, **fixed)
            value = anything(rng, second, **({"remote_get": 0} if second == "PutHeader" else {}))
            yield [("Header", header), (second, value)], payload
        link = anything(rng, "TorusLinkHeader", protocol=Protocol.ETHERNET, opt=0)
        yield [("Header", anything(rng, "Header", dma=0, pid0=0)),
               ("FifoHeader", anything(rng, "FifoHeader", put_offset=0)), ("TorusLinkHeader", link)], [
                   *in_flits(link, FORMATS["TorusLinkHeader"].size), *payload[:28]]
        shown = [("Header", anything(rng, "Header", dma=1)), ("PutHeader", anything(rng, "PutHeader", remote_get=1))]
        words = []
        for dma, second in ((0, "FifoHeader"), (1, "PutHeader")):
            header, software = anything(rng, "Header", dma=dma, pid0=0), anything(rng, second)
            words.append(anything(rng, "Descriptor", header=header, software=software))
            shown += [("Descriptor", words[-1]), ("Header", header), (second, software)]
        yield shown, [word >> FLIT_BITS * part & (1 << FLIT_BITS) - 1 for word in words for part in (3, 2, 1, 0)]


def tree_packets(rng: random.Random) -> Iterator[tuple[Shown, list[int]]]:
    """Control words, and text."""
    for number in range(PACKETS):
        header = anything(rng, "TreeHeader", tree_class=number % 16)
        operations = [*value_names(ControlOp, 8)]
        words = [anything(rng, "ControlWord", op=rng.choice(operations)) for _ in range(rng.randrange(1, 31))]
        link = anything(rng, "LinkHeader", protocol=Protocol.CONTROL)
        yield [("TreeHeader", header), ("LinkHeader", link), *(("ControlWord", word) for word in words)], words
        content = TEXT.encode()
        link = anything(rng, "LinkHeader", protocol=Protocol.CONSOLE, opt=len(content))
        flits = [int.from_bytes(content.ljust(8, b"\0"), "big")]
        yield [("TreeHeader", header), ("LinkHeader", link)], flits


def in_flits(value: int, bits: int) -> list[int]:
    return [value >> offset & (1 << FLIT_BITS) - 1 for offset in range(bits - FLIT_BITS, -1, -FLIT_BITS)]


@pytest.fixture(scope="module")
def packets() -> list[tuple[LinkType, Shown, bytes]]:
    rng = random.Random(7)
    found = []
    for link, made in ((LinkType.USER0, torus_packets(rng)), (LinkType.USER1, tree_packets(rng))):
        for shown, rest in made:
            heads = [flit for name, value in shown[:2] for flit in in_flits(value, FORMATS[name].size)]
            found.append((link, shown, b"".join(flit.to_bytes(8, "big") for flit in [*heads, *rest])))
    return found


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dissector") / "khhw.lua"
    path.write_text(dissector(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def capture(packets: list[tuple[LinkType, Shown, bytes]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dissected") / "all.pcapng"
    with path.open("wb") as file:
        writer = CaptureWriter(file)
        writer.section("test", "")
        for link in LinkType:
            writer.interface(link.name, "", link)
        for number, (link, _, content) in enumerate(packets):
            writer.packet(list(LinkType).index(link), number, content, len(content), way=Way.INBOUND, number=number,
                          queue=0, comment="")
    return path


@pytest.fixture(scope="module")
def dissected(capture: Path, script: Path) -> list[list[ElementTree.Element]]:
    """The fields of every packet, as tshark shows them."""
    done = tshark("-X", f"lua_script:{script}", "-o", "khhw_torus.traffic:TRUE", "-r", capture, "-T", "pdml")
    assert done.returncode == 0, done.stderr
    return [[field for field in packet.iter("field") if field.get("name", "").startswith("khhw.")]
            for packet in ElementTree.fromstring(done.stdout).iter("packet")]


def expected(name: str, value: int) -> list[tuple[str, int]]:
    return [(f"{filter_of(name)}.{field}", number) for field, number in unpack(FORMATS[name], value).items()]


def test_every_field_of_every_format_is_what_python_unpacks(
    packets: list[tuple[LinkType, Shown, bytes]], dissected: list[list[ElementTree.Element]],
) -> None:
    assert len(dissected) == len(packets)
    for (_, shown, _), fields in zip(packets, dissected, strict=True):
        wanted = sorted(pair for name, value in shown for pair in expected(name, value))
        found = sorted((field.get("name", ""), int(field.get("show", ""), 0)) for field in fields
                       if field.get("name", "").count(".") == 2)
        assert found == wanted
    assert {name for _, shown, _ in packets for name, _ in shown} == set(FORMATS)


def test_formats_follow_each_other_as_headers_say(
    packets: list[tuple[LinkType, Shown, bytes]], dissected: list[list[ElementTree.Element]],
) -> None:
    for (_, shown, _), fields in zip(packets, dissected, strict=True):
        begun = [field.get("name", "") for field in fields]
        firsts = [f"{filter_of(name)}.{next(iter(FIELDS[name]))}" for name, _ in shown]
        assert [name for name in begun if name in firsts] == firsts


def test_values_have_the_names_of_their_enumerations(dissected: list[list[ElementTree.Element]]) -> None:
    found: dict[tuple[str, str], set[str]] = {}
    for field in (field for fields in dissected for field in fields):
        for (name, member), kind in VALUES.items():
            if field.get("name") == f"{filter_of(name)}.{member}":
                value = int(field.get("show", ""), 0)
                word = value_names(kind, 8)[value]
                assert field.get("showname", "").endswith(f"{member}: {word} ({value})")
                found.setdefault((name, member), set()).add(word)
    assert found.keys() == VALUES.keys()
    assert found["Header", "vc"] == {"ADAPTIVE0", "ADAPTIVE1", "ESCAPE", "PRIORITY"}
    assert {"WRITE", "WRITE FAILED", "SUM"} <= found["ControlWord", "op"]
    assert {"OUTSIDE", "class 3", "BROADCAST"} <= found["TreeHeader", "tree_class"]


def test_hints_are_told_as_directions(dissected: list[list[ElementTree.Element]]) -> None:
    hints = [field for fields in dissected for field in fields if field.get("name") == "khhw.header.hint"]
    for field in hints:
        value = int(field.get("show", ""), 0)
        ways = [name for bit, name in enumerate(("X+", "X-", "Y+", "Y-", "Z+", "Z-")) if value >> 5 - bit & 1]
        assert field.get("showname", "").endswith(f"({' '.join(ways) or 'none'})")


def test_a_payload_ends_where_its_header_says(
    packets: list[tuple[LinkType, Shown, bytes]], dissected: list[list[ElementTree.Element]],
) -> None:
    for (_, shown, content), fields in zip(packets, dissected, strict=True):
        sizes = {name: int(field.get("size", "")) for field in fields
                 if (name := field.get("name", "")) in ("khhw.payload", "khhw.padding", "khhw.text")}
        kind, second = shown[1]
        if kind == "PutHeader" and len(shown) == 2:
            valid = min(unpack(PutHeader, second)["valid_bytes"], len(content) - 16)
            assert sizes.get("khhw.payload", 0) == valid
            assert sizes.get("khhw.padding", 0) == len(content) - 16 - valid
        elif kind in ("FifoHeader", "TrafficHeader") and len(shown) == 2:
            assert sizes == {"khhw.payload": len(content) - 16}
        elif len(shown) == 2:
            (text,) = [field.get("show") for field in fields if field.get("name") == "khhw.text"]
            assert text == TEXT
            assert sizes == {"khhw.text": len(TEXT.encode()), "khhw.padding": 1}


def test_a_cut_packet_is_shown_as_far_as_it_goes(
    packets: list[tuple[LinkType, Shown, bytes]], script: Path, tmp_path: Path,
) -> None:
    path = tmp_path / "cut.pcapng"
    whole = [next(content for kind, _, content in packets if kind is link) for link in LinkType]
    with path.open("wb") as file:
        writer = CaptureWriter(file)
        writer.section("test", "")
        for link in LinkType:
            writer.interface(link.name, "", link)
        for interface, content in enumerate(whole):
            for length in range(33):
                writer.packet(interface, 0, content[:length], len(content), way=Way.INBOUND, number=0, queue=0,
                              comment="")
    done = tshark("-X", f"lua_script:{script}", "-r", path, "-T", "fields", "-e", "khhw.header.x", "-e",
                  "khhw.tree_header.words", "-e", "_ws.lua.error", "-e", "khhw.cut")
    found = [line.split("\t") for line in done.stdout.splitlines()]
    assert [bool(row[0]) for row in found[:33]] == [length >= 8 for length in range(33)]
    assert [bool(row[1]) for row in found[33:]] == [length >= 8 for length in range(33)]
    assert not any(row[2] for row in found)
    assert [bool(row[3]) for row in found[:33]] == [length < 16 for length in range(33)]


def test_a_list_says_who_what_and_to_whom(folder: Path, script: Path, tmp_path: Path) -> None:
    file = tmp_path / "traced.pcapng"
    assert main(["trace", str(folder), "--pcap", str(file)]) == 0
    columns = ("_ws.col.Source", "_ws.col.Destination", "_ws.col.Protocol", "_ws.col.Info")
    listed = rows(file, *columns, more=("-X", f"lua_script:{script}", "-Y", 'frame.interface_name != "node0 inject"'))
    assert ["id 0", "(1, 0, 0)", "torus", "put, counter 1, 8 bytes"] in listed
    assert ["id 1", "outside", "tree", "CONSOLE: node 1> ready, type help"] in listed
    assert ["outside", "BROADCAST", "tree", "CONTROL WRITE WRITE WRITE WRITE"] in listed
    assert {row[2] for row in listed} == {"torus", "tree"}
    # Some of what the consoles of this run carry is not text.
    assert all(row[3].isascii() and row[3].isprintable() for row in listed)
    assert any("\\x1b" in row[3] for row in listed)


def test_descriptions_are_those_of_the_formats(script: Path) -> None:
    done = tshark("-G", "fields", "-X", f"lua_script:{script}")
    described = {row[2]: row[-1] for line in done.stdout.splitlines() if len(row := line.split("\t")) > 3}
    for name, fields in FIELDS.items():
        if name in FORMATS:
            for field, doc in fields.items():
                assert described[f"{filter_of(name)}.{field}"] == plain(doc)


def test_enumerations_are_those_that_the_documentation_names() -> None:
    found = {(name, field): kind for name in FORMATS for field in FIELDS[name]
             if (kind := values_of(name, field)) is not None}
    assert found == VALUES


def test_layouts_used_here_are_all_formats() -> None:
    used = (Header, FifoHeader, PutHeader, TrafficHeader, Descriptor, TreeHeader, LinkHeader, TorusLinkHeader,
            ControlWord)
    assert list(FORMATS.values()) == list(used)
