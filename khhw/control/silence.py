"""Where a tree is broken, by who does not answer."""

__all__ = ["suspects"]


def suspects(silent: set[int], nodes: int) -> str:
    """Where to look in the tree, if these are silent of all nodes: what is below a node is heard only through it.

    Parameters
    ----------
    silent : set of int
        Ranks.
    nodes : int
        How many there are.
    """
    found = []
    for rank in sorted(silent):
        parent = (rank - 1) // 2
        if rank and parent in silent:
            continue
        heard = any(child < nodes and child not in silent for child in (2 * rank + 1, 2 * rank + 2))
        above = f"node {parent}" if rank else "the outside"
        found.append(f"node {rank}" + ("" if heard else f" or its cable to {above}"))
    return f"; look in the tree at {', '.join(found)}"
