"""Nodes of a fabric share their program."""

import re
from collections import Counter

import pytest

from benchmarks.sharing import programs
from khhw.build.backends import SHARING
from khhw.build.design import convert


@pytest.mark.rare
def test_a_leaf_of_the_tree_has_the_program_of_another() -> None:
    """Of three nodes one is the root of the tree, two are leaves. What instances share has the name of one of them."""
    found = programs(convert("rtl.fabric:Fabric", {"shape": [3, 1, 1], "memory_bytes": 65536}), SHARING)
    by_node: Counter[str] = Counter()
    for name, size in found.items():
        if node := re.search(r"DOT__node_(\d)", name):
            by_node[node[1]] += size
    assert by_node["1"] > 1_000_000
    assert by_node["2"] < by_node["1"] / 4
