"""Nobody shifts register values by hand: fields are packed and unpacked by `Register.pack` and `Register.unpack`.

What is looked for in the sources: values that came from a read, or go into a write, of a register that has fields, and
are shifted, masked or put together by an operator; and shifts by a number of any value that came from a read.
"""

import ast
from collections.abc import Iterator
from itertools import chain

from rtl.registers import REGISTERS
from tests.structure.test_imports import modules

BITWISE = (ast.LShift, ast.RShift, ast.BitAnd, ast.BitOr, ast.BitXor)
READERS = {"read", "read_all", "read_wide", "_read"}
WRITERS = {"write", "_write", "_set", "Write", "Poke"}
Known = dict[str, str | None]
"""Names of values that came from a read: the register if that is known."""


def called(node: ast.AST) -> str:
    """Name of the function or method that a call calls."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
    return ""


def register_of(call: ast.Call) -> str | None:
    """The register that a call names among its first arguments, as text or as ``REGISTERS[text]``."""
    texts = (leaf.value for argument in call.args[:3] for leaf in ast.walk(argument) if isinstance(leaf, ast.Constant))
    return next((text for text in texts if isinstance(text, str) and text in REGISTERS), None)


def came_from_read(node: ast.AST | None, known: Known) -> tuple[bool, str | None]:
    """Whether an expression is what a read returned, or an element of it, and of which register if that is known."""
    match node:
        case ast.Await(value=value) | ast.Subscript(value=value):
            return came_from_read(value, known)
        case ast.Call(args=[inner, *_]) if called(node) in ("int", "bool"):
            return came_from_read(inner, known)
        case ast.Call() if called(node) in READERS:
            return True, register_of(node)
        case ast.Name(id=name):
            return name in known, known.get(name)
        case ast.Attribute(attr="data"):
            # Of an answered control word.
            return True, None
        case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
            return came_from_read(element, known)
    return False, None


def has_fields(register: str | None) -> bool:
    return register is not None and bool(REGISTERS[register].fields)


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
    tree = ast.parse(text)
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
        lines |= {line for node in ast.walk(function) for line in (*taken_apart(node, known), *made(node, shifted))}
    return [f"{name}:{line}" for line in sorted(lines)]


def taken_apart(node: ast.AST, known: Known) -> Iterator[int]:
    """The line of an operator on bits of what was read."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, BITWISE):
        by_number = isinstance(node.op, (ast.LShift, ast.RShift)) and isinstance(node.right, ast.Constant)
        for side in (node.left, node.right):
            read, register = came_from_read(side, known)
            if read and (has_fields(register) or by_number):
                yield node.lineno


def made(node: ast.AST, shifted: set[str]) -> Iterator[int]:
    """The line of a write of a number that was put together."""
    if isinstance(node, ast.Call) and called(node) in WRITERS and has_fields(register_of(node)):
        values = chain(node.args, (word.value for word in node.keywords))
        if any(put_together(value, shifted) for value in values):
            yield node.lineno


def test_nobody_shifts_register_values():
    assert [line for name, text in modules("khhw", "testbenches", "benchmarks", "examples")
            for line in findings(name, text)] == []


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
