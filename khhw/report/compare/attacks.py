"""Attacks on two runs: what each of them held, and the counts of both."""

from collections import Counter
from collections.abc import Sequence

from khhw.machine.results import Attack, Results
from khhw.report.change import Change, Judgement
from khhw.report.compare.pair import Pair
from khhw.report.estimate import counted
from khhw.report.words import count, listing

__all__ = ["attack_changes", "attack_facts", "attack_words"]

_COUNTS = (("tried", ""), ("refused", ""), ("delivered", "less"))
_MOST_NAMED = 6


def attack_changes(pair: Pair) -> list[Change]:
    """What was counted of attacks that both runs tried. These are counts, no estimates: every difference is one."""
    return [Change(where=name, quantity=what, first=counted(getattr(first, what)),
                   second=counted(getattr(second, what)), better=better, varied=0, group=what)
            for name, (first, second) in _both(pair).items() for what, better in _COUNTS]


def attack_facts(pair: Pair) -> dict[str, list[str]]:
    """Names of attacks that only one of the runs held, and of those that only one tried."""
    both, tried = _both(pair), [set(_named(run)) for run in (pair.first, pair.second)]
    return {"held_by_first_only": [name for name, (first, second) in both.items() if first.passed > second.passed],
            "held_by_second_only": [name for name, (first, second) in both.items() if second.passed > first.passed],
            "tried_in_one_only": sorted(tried[0] ^ tried[1])}


def attack_words(pair: Pair, judged: Sequence[Judgement]) -> list[str]:
    """What was held in one run only, and whose counts are not the same."""
    both = _both(pair)
    if not both:
        return []
    facts = attack_facts(pair)
    held = sum(first.passed and second.passed for first, second in both.values())
    texts = [f"Both runs held {held} of {count(len(both), 'attack')}."]
    for name, only in zip(pair.names, (facts["held_by_first_only"], facts["held_by_second_only"]), strict=True):
        if only:
            texts.append(f"Held in {name} only: {_some(only)}.")
    if facts["tried_in_one_only"]:
        texts.append(f"Tried in one run only: {_some(facts['tried_in_one_only'])}.")
    unlike = [f"{each.change.where}, {each.change.quantity} {each.change.first.value:,g} and "
              f"{each.change.second.value:,g}" for each in judged if each.differs]
    return [*texts, f"Counts that are not the same: {_some(unlike)}." if unlike else "All counts are the same."]


def _both(pair: Pair) -> dict[str, tuple[Attack, Attack]]:
    first, second = _named(pair.first), _named(pair.second)
    return {name: (attack, second[name]) for name, attack in first.items() if name in second}


def _named(run: Results) -> dict[str, Attack]:
    """By name; a name that comes again has its number."""
    seen: Counter[str] = Counter()
    found = {}
    for attack in run.results.attacks:
        seen[attack.name] += 1
        found[attack.name + (f" ({seen[attack.name]})" if seen[attack.name] > 1 else "")] = attack
    return found


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return listing([*names[:_MOST_NAMED], f"{more} more"] if more > 0 else names)
