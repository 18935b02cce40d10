"""A coverage report as one JSON object: what the page and the table on the terminal show."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from khhw.coverage.coverage import Coverage, Toggle
from khhw.coverage.waivers import Waived

__all__ = ["bit_ranges", "open_items", "summary"]


def summary(coverage: Coverage, waived: Waived, faults: Sequence[str]) -> dict[str, Any]:
    """What is covered, what is not, and why not.

    Parameters
    ----------
    coverage : Coverage
        Of all runs.
    waived : dict
        Reasons, by item.
    faults : sequence of str
        What is wrong with the waivers.

    Returns
    -------
    dict
        ``modules`` and ``bins``, each a list with ``covered``, ``waived`` and ``total`` counts; ``uncovered`` and
        ``waived``, each with ``lines``, ``toggles`` and ``bins``; ``faults``. Neighbouring bits of a signal that lack
        the same edges are one entry.
    """
    def of(module: str, items: Mapping[Any, int]) -> dict[str, int]:
        return _counts({each: hits for each, hits in items.items() if each.module == module}, waived)

    return {
        "modules": [{"module": module, "lines": of(module, coverage.lines), "toggles": of(module, coverage.toggles)}
                    for module in coverage.modules],
        "bins": _groups(coverage, waived),
        "uncovered": _left(coverage, waived, only_waived=False),
        "waived": _left(coverage, waived, only_waived=True),
        "faults": list(faults),
    }


def open_items(report: Mapping[str, Any]) -> int:
    """How many lines, toggles and bins are neither covered nor waived."""
    kinds = [each[kind] for each in report["modules"] for kind in ("lines", "toggles")]
    return sum(each["total"] - each["covered"] - each["waived"] for each in (*kinds, *report["bins"]))


def bit_ranges(bits: Iterable[int]) -> str:
    """``31:8, 3`` for bits of a signal, empty for one that is not numbered."""
    runs: list[list[int]] = []
    for bit in sorted(bit for bit in bits if bit >= 0):
        if runs and bit == runs[-1][1] + 1:
            runs[-1][1] = bit
        else:
            runs.append([bit, bit])
    return ", ".join(f"{high}:{low}" if high > low else f"{low}" for low, high in reversed(runs))


def _counts(hits: Mapping[Any, int], waived: Waived) -> dict[str, int]:
    return {"covered": sum(map(bool, hits.values())),
            "waived": sum(not count and each in waived for each, count in hits.items()), "total": len(hits)}


def _groups(coverage: Coverage, waived: Waived) -> list[dict[str, Any]]:
    points: defaultdict[tuple[str, str], dict[Any, int]] = defaultdict(dict)
    for each, hits in coverage.bins.items():
        points[each.group, each.point][each] = hits
    return [{"group": group, "point": point, **_counts(bins, waived),
             "hits": {each.name: hits for each, hits in bins.items()}}
            for (group, point), bins in points.items()]


def _left(coverage: Coverage, waived: Waived, *, only_waived: bool) -> dict[str, list[dict[str, Any]]]:
    """What is not covered: only what is waived, or only what is not."""
    def left(hits: Mapping[Any, int]) -> list[Any]:
        return sorted(each for each, count in hits.items() if not count and (each in waived) == only_waived)

    def why(item: Any) -> dict[str, str]:
        return {"reason": waived[item]} if only_waived else {}

    return {
        "lines": [{"module": each.module, "line": each.number, "outcome": each.outcome,
                   "text": coverage.text.get((each.module, each.number), ""), **why(each)}
                  for each in left(coverage.lines)],
        "toggles": _signals(left(coverage.toggles), coverage, waived),
        "bins": [{"group": each.group, "point": each.point, "bin": each.name, **why(each)}
                 for each in left(coverage.bins)],
    }


def _signals(toggles: Sequence[Toggle], coverage: Coverage, waived: Waived) -> list[dict[str, Any]]:
    lacking: defaultdict[tuple[str, str, int], list[Toggle]] = defaultdict(list)
    for each in toggles:
        lacking[each.component, each.signal, each.bit].append(each)
    alike: defaultdict[tuple[str, str, str, str], list[int]] = defaultdict(list)
    for (component, signal, bit), edges in lacking.items():
        never = " and ".join("rises" if each.rising else "falls" for each in edges)
        alike[component, signal, never, waived.get(edges[0], "")].append(bit)
    found = []
    for (component, signal, never, reason), bits in alike.items():
        module, line = coverage.declared_at.get((component, signal), (component.rpartition(".")[0], 0))
        found.append({"component": component, "signal": signal, "bits": bit_ranges(bits), "never": never,
                      "module": module, "line": line, **({"reason": reason} if reason else {})})
    return found
