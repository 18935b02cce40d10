"""In which order tests run, and which stay together: pure functions of node ids and durations.

Workers take the next group when they are free, so the longest come first and quick ones fill the end.
"""

from collections.abc import Collection, Mapping, Sequence

from tests.schedule.durations import Durations

__all__ = ["QUICK", "groups", "longest_first", "mark"]

QUICK = 10.0
"""Seconds: a file whose tests take less together stays together, which saves messages and imports."""


def groups(shares: Mapping[str, Collection[str]], durations: Durations) -> dict[str, str]:
    """The group of each test.

    Parameters
    ----------
    shares : mapping
        Node id to the fixtures that serve more than one test, of those it uses.
    durations : Durations

    Returns
    -------
    dict
        Node id to group. Tests of a file that share a fixture are one group: it is then made once. Others are on
        their own when they take a second, and all quick ones of a file are one more group.
    """
    files: dict[str, list[str]] = {}
    for node in shares:
        files.setdefault(node.partition("::")[0], []).append(node)
    chosen = {}
    for file, nodes in files.items():
        whole = durations.of_all(nodes) < QUICK
        joined = _joined({node: shares[node] for node in nodes})
        for node in nodes:
            if whole:
                chosen[node] = file
            elif shares[node]:
                chosen[node] = f"{file}:{joined[node]}"
            else:
                chosen[node] = node if durations.of(node) >= 1 else f"{file}:quick"
    return chosen


def _joined(shares: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Name of the set of fixtures each test's fixtures belong to: sets with a common fixture are one."""
    sets: list[set[str]] = []
    for names in shares.values():
        common = [each for each in sets if each & set(names)]
        sets = [each for each in sets if each not in common] + [set(names).union(*common)]
    return {node: min(next(each for each in sets if each >= set(names))) if names else ""
            for node, names in shares.items()}


def longest_first(nodes: Sequence[str], group: Mapping[str, str], durations: Durations) -> list[str]:
    """The tests, group by group, the longest group first; in a group the order stays."""
    members: dict[str, list[str]] = {}
    for node in nodes:
        members.setdefault(group[node], []).append(node)
    return [node for each in sorted(members.values(), key=lambda each: -durations.of_all(each)) for node in each]


def mark(group: str) -> str:
    """A group's name for xdist, which takes what ends in ``]`` for a test with parameters and so for no group's."""
    return group.translate(str.maketrans("[]@", "()%"))
