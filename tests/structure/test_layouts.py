"""Layouts are packed and unpacked by `rtl.codec.Codec`; where that would be too slow, a comment says so."""

import ast
from collections.abc import Iterator

from tests.structure.test_imports import modules, parsed

BY_OFFSETS = {
    "rtl.codec": "does it for all others",
    "khhw.net.segments": "for every packet of a stream",
    "khhw.fuzz.packing": "of whole arrays, in words of 64 bits",
    "khhw.sim.engine.opening": "of whole arrays",
    "rtl.torus.header": "a checksum and the bits below it",
}
"""Modules that may take layouts apart by their fields' offsets, and why; a comment there begins with "By places"."""
SHIFTS = (ast.LShift, ast.RShift)


def has_offset(node: ast.AST, offsets: set[str]) -> bool:
    """Whether an expression is made of the offset of a field, or of a constant that is."""
    return any((isinstance(leaf, ast.Attribute) and leaf.attr == "offset" and isinstance(leaf.value, ast.Subscript))
               or (isinstance(leaf, ast.Name) and leaf.id in offsets) for leaf in ast.walk(node))


def is_word(node: ast.AST) -> bool:
    """Whether an expression is a word of a packet, ``packet.words[0]``."""
    match node:
        case ast.Subscript(value=ast.Attribute(attr="words"), slice=ast.Constant()):
            return True
    return False


def is_offset(node: ast.AST) -> bool:
    """Whether a shift goes by a number of bits that is not of whole words."""
    return isinstance(node, ast.Constant) and isinstance(node.value, int) and node.value % 64 != 0


def by_offsets(name: str, text: str) -> Iterator[str]:
    """Lines of a module that shift by the offset of a field, or take a header's word apart by numbers."""
    tree = parsed(text)
    offsets = set[str]()
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) if has_offset(value, offsets):
                offsets.add(target)
    yield from (f"{name}:{node.lineno}" for node in ast.walk(tree)
                if isinstance(node, ast.BinOp) and takes_apart(node, offsets))


def takes_apart(node: ast.BinOp, offsets: set[str]) -> bool:
    """Whether an operator works on bits of a layout by their offset."""
    if isinstance(node.op, SHIFTS):
        return has_offset(node.right, offsets) or (is_word(node.left) and is_offset(node.right))
    return isinstance(node.op, ast.BitAnd) and is_word(node.left)


def ring_by_hand(name: str, text: str) -> Iterator[str]:
    """Lines that join the two bits of the ring in a header, or take them apart, which `ring_of` and `pids_of` do."""
    for node in ast.walk(parsed(text)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.BitOr, ast.Add)) and {
                "pid0", "pid1"} <= {leaf.value for leaf in ast.walk(node) if isinstance(leaf, ast.Constant)}:
            yield f"{name}:{node.lineno}"
        named = [(word.arg, word.value) for word in node.keywords] if isinstance(node, ast.Call) else [
            (key.value, value) for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant)] if isinstance(node, ast.Dict) else []
        yield from (f"{name}:{value.lineno}" for field, value in named
                    if field in ("pid0", "pid1") and isinstance(value, ast.BinOp))


FOLDERS = ("rtl", "khhw", "testbenches", "tests", "benchmarks", "examples")


def test_layouts_are_taken_apart_by_codecs():
    assert [line for name, text in modules(*FOLDERS) if name not in BY_OFFSETS for line in by_offsets(name, text)] == []


def test_whoever_does_it_by_offsets_says_why():
    sources = dict(modules("rtl", "khhw"))
    assert [name for name in BY_OFFSETS if name != "rtl.codec" and "# By places" not in sources[name]] == []
    assert [name for name in BY_OFFSETS if name != "rtl.codec" and not list(by_offsets(name, sources[name]))] in (
        [], ["khhw.fuzz.packing"]), "an exception that nothing needs"


def test_a_ring_is_in_one_place():
    assert [line for name, text in modules(*FOLDERS) if name != "rtl.formats"
            for line in ring_by_hand(name, text)] == []


def test_they_are_found():
    text = """
_DATA = Flit["data"].offset
epoch = broken.words[0] >> 56 & 1
header = packet.words[0] & ~(0x3F << 50) | hint << 50
value = payload >> _DATA & 1
crc = value << Header["crc"].offset
ring = header["pid0"] << 1 | header["pid1"]
pair = {"pid0": ring >> 1, "pid1": ring & 1}
one = pack(Header, pid0=ring >> 1, size=size - 1)
fine = pack(Header, pid0=1, pid1=0)
"""
    assert sorted(set(by_offsets("m", text))) == [f"m:{line}" for line in (3, 4, 5, 6)]
    assert sorted(set(ring_by_hand("m", text))) == [f"m:{line}" for line in (7, 8, 9)]
