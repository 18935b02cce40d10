"""Nobody shifts register values by hand: fields are packed and unpacked by `Register.pack` and `Register.unpack`.

What is looked for in the sources: values that came from a read, or go into a write, of a register that has fields, or
are compared with what was read of one, and are shifted, masked or put together by an operator; and shifts by a number
of any value that came from a read. In hardware and its proofs, where `register_view` and `register_value` do it: bits
of what is on a register bus, by number.
"""

import ast
from collections.abc import Iterator
from itertools import chain

from rtl.registers import REGISTERS
from tests.structure.test_imports import modules, parsed

BITWISE = (ast.LShift, ast.RShift, ast.BitAnd, ast.BitOr, ast.BitXor)
READERS = {"read", "read_all", "read_wide", "_read"}
WRITERS = {"write", "_write", "_set", "set", "Write", "Poke"}
"""`get`, which dictionaries have too, reads where it is awaited, or where it names a register."""
Known = dict[str, str | None]
"""Names of values that came from a read: the register if that is known."""


def called(node: ast.AST) -> str:
    """Name of the function or method that a call calls."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
    return ""


def register_of(call: ast.Call) -> str | None:
    """The register that a call names among its first arguments, as text or as ``REGISTERS[text]``.

    The traffic generator's go without their prefix.
    """
    names = (register_in(leaf) for argument in call.args[:3] for leaf in ast.walk(argument))
    return next((name for name in names if name is not None), None)


def register_in(text: ast.AST) -> str | None:
    """The register of a name; of a name that is put together, like ``f"{stem}_SIZE"``, one that ends so."""
    match text:
        case ast.Constant(value=str(name)):
            return next((known for known in (name, f"TRAFFIC_{name}") if known in REGISTERS), None)
        case ast.JoinedStr(values=[*_, ast.Constant(value=str(end))]):
            return next((known for known in REGISTERS if known.endswith(end) and has_fields(known)), None)
    return None


def came_from_read(node: ast.AST | None, known: Known) -> tuple[bool, str | None]:
    """Whether an expression is what a read returned, or an element of it, and of which register if that is known."""
    match node:
        case ast.Await(value=ast.Call(args=[_, *_]) as call) if called(call) == "get":
            return True, register_of(call)
        case ast.Subscript() if (register := kept_as(node)) is not None:
            return True, register
        case ast.Await(value=value) | ast.Subscript(value=value) | ast.Attribute(value=value, attr="value"):
            return came_from_read(value, known)
        case ast.Call(args=[inner, *_]) if called(node) in ("int", "bool"):
            return came_from_read(inner, known)
        case ast.Call() if called(node) in READERS or (called(node) == "get" and register_of(node)):
            return True, register_of(node)
        case ast.Name(id=name):
            return name in known, known.get(name)
        case ast.Attribute(attr="data"):
            # Of an answered control word.
            return True, None
        case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
            return came_from_read(element, known)
    return False, None


def kept_as(node: ast.AST) -> str | None:
    """The register whose value is an element of a collection: ``values["NAME"]`` or ``values["NAME", 3]``."""
    match node:
        case ast.Subscript(value=ast.Name(id="REGISTERS")):
            return None
        case ast.Subscript(slice=ast.Tuple(elts=[name, *_]) | name):
            return register if has_fields(register := register_in(name)) else None
    return None


def has_fields(register: str | None) -> bool:
    return register in REGISTERS and bool(REGISTERS[register].fields)


def bound(function: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Names a function binds, with what they are bound to, or are elements of."""
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=targets, value=value):
                pairs = [(target, value) for target in targets]
            case ast.AnnAssign(target=target, value=ast.AST() as value) | ast.NamedExpr(target=target, value=value):
                pairs = [(target, value)]
            case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
                pairs = [(target, value)]
            case _:
                continue
        for target, value in pairs:
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
                pairs = list(zip(target.elts, value.elts, strict=True))
                yield from ((leaf.id, part) for leaf, part in pairs if isinstance(leaf, ast.Name))
            else:
                yield from ((leaf.id, value) for leaf in ast.walk(target) if isinstance(leaf, ast.Name))


def put_together(node: ast.AST, shifted: set[str]) -> bool:
    """Whether an expression is a number made by shifts and masks, at its top."""
    match node:
        case ast.BinOp(op=ast.BitOr() | ast.LShift() | ast.RShift() | ast.BitAnd()):
            return True
        case ast.IfExp(body=one, orelse=other):
            return put_together(one, shifted) or put_together(other, shifted)
        case ast.ListComp(elt=element):
            return put_together(element, shifted)
        case ast.Name(id=name):
            return name in shifted
        case ast.Call():
            return called(node) in shifted
    return False


def functions(tree: ast.Module) -> list[ast.AST]:
    """All functions of a module, those inside classes too, and the module itself."""
    return [tree, *(node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))]


def shifted_in(module: ast.Module) -> set[str]:
    """Constants and functions of a module that are, or return, numbers made by shifts and masks."""
    found: set[str] = set()
    for node in module.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if put_together(value, found):
                found.add(name)
            case ast.FunctionDef(name=name):
                if any(isinstance(leaf, ast.Return) and leaf.value is not None and put_together(leaf.value, found)
                       for leaf in ast.walk(node)):
                    found.add(name)
    return found


def findings(name: str, text: str) -> list[str]:
    """Lines of a module where a register's value is shifted or masked, or made so."""
    tree = parsed(text)
    constants = shifted_in(tree)
    lines = set[int]()
    for function in functions(tree):
        bindings = [] if function is tree else list(bound(function))
        known: Known = {}
        for target, value in bindings:
            read, register = came_from_read(value, known)
            if read:
                known[target] = register
        shifted = constants | {target for target, value in bindings if put_together(value, constants)}
        lines |= {line for node in ast.walk(function)
                  for line in (*taken_apart(node, known), *made(node, shifted), *compared(node, known, shifted))}
    return [f"{name}:{line}" for line in sorted(lines)]


def taken_apart(node: ast.AST, known: Known) -> Iterator[int]:
    """The line of an operator on bits of what was read."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, BITWISE) and has_fields(kept_as(node.target)):
        yield node.lineno
    if isinstance(node, ast.BinOp) and isinstance(node.op, BITWISE):
        by_number = isinstance(node.op, (ast.LShift, ast.RShift)) and isinstance(node.right, ast.Constant)
        for side in (node.left, node.right):
            read, register = came_from_read(side, known)
            if read and (has_fields(register) or by_number):
                yield node.lineno


def made(node: ast.AST, shifted: set[str]) -> Iterator[int]:
    """The line where a number that was put together is written, or kept as the value of a register."""
    kept = list[tuple[str | None, ast.AST]]()
    match node:
        case ast.Assign(targets=targets, value=value):
            kept = [(kept_as(target), value) for target in targets]
        case ast.Dict(keys=keys, values=given):
            kept = [(key.value, value) for key, value in zip(keys, given, strict=True)
                    if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    yield from (value.lineno for register, value in kept if has_fields(register) and put_together(value, shifted))
    if isinstance(node, ast.Call) and called(node) in WRITERS and has_fields(register_of(node)):
        values = chain(node.args, (word.value for word in node.keywords))
        if any(put_together(value, shifted) for value in values):
            yield node.lineno


def compared(node: ast.AST, known: Known, shifted: set[str]) -> Iterator[int]:
    """The line where what was read is compared with a number that was put together."""
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        if any(has_fields(came_from_read(side, known)[1]) for side in sides) and any(
                put_together(side, shifted) for side in sides):
            yield node.lineno


def bits_by_number(name: str, text: str) -> list[str]:
    """Lines of hardware that take what is on a register bus apart by numbers of bits."""
    buses = {"host", "owner", "bus", "request"}
    found = set[int]()
    for function in functions(parsed(text)):
        # Names of it: a plain assignment, alone or of several at once.
        names = {target for target, value in bound(function) if on_bus(value, buses, set())}
        found |= {node.lineno for node in ast.walk(function)
                  if isinstance(node, ast.Subscript) and on_bus(node.value, buses, names) and numbered(node.slice)}
    return [f"{name}:{line}" for line in sorted(found)]


def on_bus(node: ast.AST, buses: set[str], names: set[str]) -> bool:
    """Whether an expression is the data of a register bus, in either direction."""
    match node:
        case ast.Attribute(attr="data" | "value", value=ast.Name(id=bus) | ast.Attribute(attr=bus)):
            return bus in buses
        case ast.Name(id=name):
            return name in names
    return False


def numbered(index: ast.AST) -> bool:
    """Whether an index is a number, or a slice with one."""
    match index:
        case ast.Slice(lower=lower, upper=upper):
            return any(isinstance(end, ast.Constant) for end in (lower, upper))
        case ast.Constant(value=int()):
            return True
    return False


def test_nobody_shifts_register_values():
    assert [line for name, text in modules("khhw", "testbenches", "benchmarks", "examples", "tests")
            for line in findings(name, text) if not name.startswith("tests.structure")] == []


def test_hardware_knows_fields_by_name():
    assert [line for name, text in modules("rtl", "formal") for line in bits_by_number(name, text)] == []


def test_shifts_are_found():
    text = '''
_FAR = 1 << 24

def packed(x, y, z):
    return x << 16 | y << 8 | z

async def one(node, owner, engine):
    size = await node.read("SIZE")
    x = size >> 16 & 0xFF
    rings = await node.read("RESOURCES") & 0xF
    for state in await owner.read_all("GUARD_STATUS"):
        print(state & VALID)
    low, high = await node.read("LOG_TIME_LOW"), await node.read(name, 1)
    time = high << 32 | low
    await node.write("HOLD", 1 | clear << 1)
    there = packed(1, 2, 3) if x else 0
    await node.write("TRAFFIC_TARGET", packed(1, 2, 3))
    await node.write("CONSOLE_TX_DEST", _FAR)
    ends, reason = [word.data for word in await owner.execute(None, words)]
    source = ends >> 16
    return Poke(REGISTERS["TRAFFIC_CONTROL"].at(), ENABLE | RECORD)
'''
    assert findings("m", text) == [f"m:{line}" for line in (9, 10, 12, 14, 15, 17, 18, 20, 21)]


def test_sets_of_bits_and_fields_by_name_are_no_findings():
    text = '''
async def one(node):
    size = REGISTERS["SIZE"].unpack(await node.read("SIZE"))
    hits = await node.read("INJECTION_HITS", 2)
    found = [bit for bit in range(32) if hits >> bit & 1]
    await node.write("CONSOLE_LISTEN", (1 << count) - 1)
    await node.write("HOLD", REGISTERS["HOLD"].pack(hold=1))
    return time << 3
'''
    assert findings("m", text) == []


def test_shifts_of_testbenches_are_found():
    text = '''
async def one(bench, dut):
    assert await bench.get("GUARD_STATUS") >> 2 & 1
    assert (await bench.get("GUARD_STATUS")) & 4
    assert await bench.get("LAST_FAULT") == fault << 8 | ring
    assert (await bench.host.read(REGISTERS["LOG_NODES"].at())).value == 9 << 16 | source
    expected = x << 16 | y
    assert expected == await bench.get("TARGET"), "of the traffic generator"
    time = await bench.get("TIME_HIGH") << 32 | low
    await bench.set("CONTROL", pattern << 2 | 1)
    await bench.set(f"{kind}_SIZE", size | remote)
    size = node.values[f"{stem}_SIZE", 3] & ~1
    node.values["LAST_FAULT", 0] = fault << 8 | ring
    node.values["HOLD", 0] &= 1
    fixed = {"SIZE": x << 16 | y << 8 | z, "RANK": x << 1}
'''
    assert findings("m", text) == [f"m:{line}" for line in (3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15)]


def test_what_looks_like_a_register_is_no_finding():
    text = '''
async def one(bench, table, queue):
    flags = table.get("flags", 0) >> 3
    word = await queue.get()
    low = word >> 16 & 0xFF
    assert await bench.get("IRQ_STATUS") & 1 << ring
    assert await bench.get("RECEPTION_HITS", word) == 1 << counter
    assert await bench.get("LAST_FAULT") == REGISTERS["LAST_FAULT"].pack(fault=3)
    assert REGISTERS["HOLD"] | other
    seen = set(x << 1 for x in "HOLD")
'''
    assert findings("m", text) == []


def test_bits_by_number_are_found():
    text = '''
class A:
    def elaborate(self, platform):
        host, owner = self.host, self.owner
        m.d.comb += [a.eq(host.data[0]), b.eq(self.host.data[5:])]
        m.d.comb += c.eq(owner.data[:2] == 0b10)
        value = self.owner.data
        m.d.comb += d.eq(value[1])
        m.d.comb += e.eq(value[low:low + 32])
        m.d.comb += f.eq(register_view("HOLD", owner.data).clear)
        m.d.comb += g.eq(words.data[1])
'''
    assert bits_by_number("m", text) == [f"m:{line}" for line in (5, 6, 8)]
