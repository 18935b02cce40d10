"""One word for one thing: the verbs of the testbenches' models, and names that say what is meant."""

import ast

from tests.structure.test_imports import modules

OTHER_VERBS = {
    "drain": "settle", "finish": "settle", "wait_idle": "settle", "quiet": "idle", "resting": "idle",
    "received": "packets", "receive": "recv", "transmit": "send", "push": "send",
}
"""Of the models in `testbenches/kit`, with the word that is theirs: `send` queues a packet, `recv` waits for the next
one, `packets` are those that have come, `idle` says that nothing is under way, `settle` waits for that."""


def other_verbs(name: str, text: str) -> list[str]:
    """Public methods and attributes of a model that are called otherwise."""
    return [f"{name}:{node.lineno}: {node.name}, not {OTHER_VERBS[node.name]}" for node in ast.walk(ast.parse(text))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in OTHER_VERBS]


def test_models_have_one_set_of_verbs():
    assert [line for name, text in modules("testbenches/kit") for line in other_verbs(name, text)] == []


def test_another_verb_is_found():
    text = "class A:\n    async def drain(self):\n        pass\n    def send(self):\n        pass\n"
    assert other_verbs("m", text) == ["m:2: drain, not settle"]
