"""One word for one thing: the verbs of the testbenches' models, and names that say what is meant."""

import ast
import re
from collections.abc import Iterator

from tests.structure.test_imports import modules, parsed

OTHER_VERBS = {
    "drain": "settle", "finish": "settle", "wait_idle": "settle", "quiet": "idle", "resting": "idle",
    "received": "packets", "receive": "recv", "transmit": "send", "push": "send",
}
"""Of the models in `testbenches/kit`, with the word that is theirs: `send` queues a packet, `recv` waits for the next
one, `packets` are those that have come, `idle` says that nothing is under way, `settle` waits for that."""


def other_verbs(name: str, text: str) -> list[str]:
    """Public methods and attributes of a model that are called otherwise."""
    return [f"{name}:{node.lineno}: {node.name}, not {OTHER_VERBS[node.name]}" for node in ast.walk(parsed(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in OTHER_VERBS]


VAGUE = {"dice": "rng", "scene": "setup", "_Scene": "_Setup", "PLANTED": "MUTANTS"}
"""Names, with the field's own word for what they mean."""
WHERE_IT_IS_A_CLASS = {"khhw.kernels.memcached.client"}
"""Where `Place` is a class: of an item. Elsewhere a name says of what kind a place is."""
SAYS_NOTHING = re.compile(r"(?:^|_)places?(?:_|$)", re.IGNORECASE)
"""In a name: it is a coordinate, an index, an offset, an address, a buffer, a path of keys, a point of a sweep."""
ELSEWHERE = "khhw.kernels"
"""A package that is not looked at: an image holds the text of its kernel, so that other names are other cycles."""
SAYING_NOTHING = {
    "khhw.report.labels": "`Labels.place` is a verb",
    "benchmarks.calls_kernel": "a kernel",
    "examples.moving_node.moving_client": "a kernel",
    "tests.machine.kernels.persistent": "a kernel",
}
"""Modules that may bind such a name, and why. Names of tests are sentences, in which things are in one place."""


def vague_names(name: str, text: str) -> list[str]:
    """Lines that bind a name that says less than the field's word."""
    return [f"{name}:{node.lineno}: {bound}, not {VAGUE[bound]}" for node in ast.walk(parsed(text))
            if (bound := bound_by(node)) in VAGUE]


def bound_by(node: ast.AST) -> str:
    """The name that a node binds, or nothing."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return name
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.alias(asname=str(name)):
            return name
    return ""


def names_of_no_kind(name: str, text: str) -> Iterator[str]:
    """Lines that bind a name of something that is a place, and do not say of what kind."""
    return (f"{name}:{node.lineno}: {bound}" for node in ast.walk(parsed(text))
            if SAYS_NOTHING.search(bound := bound_by(node)) and not bound.startswith("test_"))


def test_names_say_what_is_meant():
    assert [line for name, text in modules("rtl", "khhw", "testbenches", "formal", "tests", "benchmarks", "examples")
            for line in vague_names(name, text)] == []


def test_classes_of_places_say_of_what():
    assert [name for name, text in modules("rtl", "khhw", "testbenches", "formal", "tests", "benchmarks", "examples")
            if name not in WHERE_IT_IS_A_CLASS and any(
                isinstance(node, ast.ClassDef) and node.name == "Place" for node in ast.walk(parsed(text)))] == []


def test_names_say_of_what_kind_a_place_is():
    everywhere = modules("rtl", "khhw", "testbenches", "formal", "benchmarks", "docs", "examples", "tests")
    found = {name: lines for name, text in everywhere
             if not name.startswith(ELSEWHERE) and (lines := list(names_of_no_kind(name, text)))}
    assert {name: lines for name, lines in found.items() if name not in SAYING_NOTHING} == {}
    assert SAYING_NOTHING.keys() <= found.keys(), "an exception that nothing needs"


def test_a_name_that_says_nothing_is_found():
    text = """
from a import place_of, b as PLACES
def f(place, placed):
    self._places, replace, placement = place, 1, 2
    match placed:
        case [first, *in_place]:
            return [each for place_of_it, each in first]
async def _place():
    pass
def test_it_is_in_one_place():
    pass
"""
    assert sorted(set(names_of_no_kind("m", text))) == [
        "m:2: PLACES", "m:3: place", "m:4: _places", "m:6: in_place", "m:7: place_of_it", "m:8: _place"]


def test_a_vague_name_is_found():
    text = "dice = random.Random(1)\ndef f(scene):\n    return scene\nclass _Scene:\n    pass\nprint(rng)\n"
    assert sorted(vague_names("m", text)) == ["m:1: dice, not rng", "m:2: scene, not setup", "m:4: _Scene, not _Setup"]


def test_models_have_one_set_of_verbs():
    assert [line for name, text in modules("testbenches/kit") for line in other_verbs(name, text)] == []


def test_another_verb_is_found():
    text = "class A:\n    async def drain(self):\n        pass\n    def send(self):\n        pass\n"
    assert other_verbs("m", text) == ["m:2: drain, not settle"]
