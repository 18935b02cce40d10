"""Nodes of a fabric share their program."""

import re
from collections import Counter

from benchmarks.sharing import programs
from khhw.build.backends import SHARING
from khhw.build.design import convert


def test_four_nodes_have_hardly_more_program_than_one() -> None:
    """Nodes at both ends of every kind of cable, and without one: a tree of four has a root, a node with one child and
    two leaves, the torus has one dimension. Functions that instances share have the name of one of them."""
    found = programs(convert("rtl.fabric:Fabric", {"shape": [4, 1, 1], "memory_bytes": 65536}), SHARING)
    by_node: Counter[str] = Counter()
    for name, size in found.items():
        if node := re.search(r"DOT__node_(\d)", name):
            by_node[node[1]] += size
    ((_, most), *others) = by_node.most_common()
    assert most > 1_000_000
    assert sum(size for _, size in others) < most, "each node by itself would have as much again"
