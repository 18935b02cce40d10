"""Judgements in words."""

from collections.abc import Sequence

from khhw.report.change import Judgement
from khhw.report.words import count, signed

__all__ = ["tally", "told"]


def told(judgement: Judgement) -> str:
    """One number: where it is from, both values, how many samples each was made of, and the verdict."""
    change = judgement.change
    values = f"{change.first.value:,g} and {change.second.value:,g}"
    samples = [each.samples for each in (change.first, change.second)]
    made = "" if None in samples else f" (n={samples[0]:,} and {samples[1]:,})"
    return f"{change.where}, {change.quantity}: {values}{made}: {judgement.verdict}."


def tally(judgements: Sequence[Judgement], noun: str, plural: str = "") -> str:
    """Several numbers: how many differ and by how much, in how many no difference is seen, how many are not judged."""
    differing = [each for each in judgements if each.differs]
    same = sum(each.differs is False for each in judgements)
    unknown = [each.samples for each in judgements if each.differs is None and each.samples is not None]
    parts = []
    if differing:
        ratios = sorted(each.change.ratio for each in differing)
        span = dict.fromkeys([signed(ratios[0]), signed(ratios[-1])])
        all_of = "all " if len(differing) == len(judgements) > 1 else ""
        parts.append(f"{all_of}{count(len(differing), noun, plural)} "
                     f"{'differs' if len(differing) == 1 else 'differ'} by {' to '.join(span)}")
    if same:
        parts.append(f"no difference seen in {count(same, noun, plural)}")
    if unknown:
        low, high = min(unknown), max(unknown)
        parts.append(f"{count(len(unknown), noun, plural)} not judged, as no interval can be given "
                     f"(n={low:,}{f' to {high:,}' if high > low else ''})")
    return "; ".join(parts)
