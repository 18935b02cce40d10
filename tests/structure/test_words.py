"""One word for one thing: the verbs of the testbenches' models, and names that say what is meant."""

import ast

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
MEANINGS_OF_PLACE = {"khhw.kernels.memcached.client", "rtl.traffic.pattern"}
"""Where `Place` is a class or a layout: of an item, and of a node. Elsewhere a name says of what kind a place is."""


def vague_names(name: str, text: str) -> list[str]:
    """Lines that bind a name that says less than the field's word."""
    return [f"{name}:{node.lineno}: {bound}, not {VAGUE[bound]}" for node in ast.walk(parsed(text))
            if (bound := bound_by(node)) in VAGUE]


def bound_by(node: ast.AST) -> str:
    """The name that a node binds, or nothing."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return name
        case ast.arg(arg=name):
            return name
    return ""


def test_names_say_what_is_meant():
    assert [line for name, text in modules("rtl", "khhw", "testbenches", "formal", "tests", "benchmarks", "examples")
            for line in vague_names(name, text)] == []


def test_classes_of_places_say_of_what():
    assert [name for name, text in modules("rtl", "khhw", "testbenches", "formal", "tests", "benchmarks", "examples")
            if name not in MEANINGS_OF_PLACE and any(
                isinstance(node, ast.ClassDef) and node.name == "Place" for node in ast.walk(parsed(text)))] == []


def test_a_vague_name_is_found():
    text = "dice = random.Random(1)\ndef f(scene):\n    return scene\nclass _Scene:\n    pass\nprint(rng)\n"
    assert sorted(vague_names("m", text)) == ["m:1: dice, not rng", "m:2: scene, not setup", "m:4: _Scene, not _Setup"]


def test_models_have_one_set_of_verbs():
    assert [line for name, text in modules("testbenches/kit") for line in other_verbs(name, text)] == []


def test_another_verb_is_found():
    text = "class A:\n    async def drain(self):\n        pass\n    def send(self):\n        pass\n"
    assert other_verbs("m", text) == ["m:2: drain, not settle"]
