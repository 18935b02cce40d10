"""What hostile software tried, what refused it, and what reached the victims' memories."""

from khhw.control.attacks import judge_attacks
from khhw.machine.file import MachineFile, Phase
from khhw.machine.measurements.measurement import Measurement, Observer, kernel_names
from khhw.machine.results import Attack, RunRecord

__all__ = ["MEASUREMENT"]

_EXPECTED = {
    "forged source": "the packets arrive, with the attacker's own id as source",
    "deputy": "the answers come back to the attacker",
}
"""What is seen of an attack that is turned into something harmless instead of refused."""


def _check(phase: Phase, machine: MachineFile) -> str | None:
    names = kernel_names(phase, machine.nodes)
    if names.count("attack") != 1 or names.count("victim") != machine.nodes - 1:
        return "attacks need the kernel attack on one node, and victim on all others"
    return None


async def _measure(observer: Observer) -> list[Attack]:
    entry = next(entry for entry in observer.phase.kernels if entry.kernel == "attack")
    (attacker,) = entry.ranks(observer.shape.nodes)
    return [
        Attack(name=result.name, tried=result.tried, delivered=result.delivered, refused=result.refused,
               harmless=result.harmless, where=result.where, expected=_EXPECTED.get(result.name, ""),
               passed=result.delivered == 0 and result.refused + result.harmless >= result.tried)
        for result in judge_attacks(observer.memories, observer.logs, observer.layout, observer.shape,
                                    attacker=attacker, arguments=entry.arguments)]


def _keep(record: RunRecord, _phase: Phase, found: list[Attack]) -> None:
    record.attacks += found


MEASUREMENT = Measurement(
    check=_check, measure=_measure, keep=_keep, report="khhw.report.measurements.attacks:AttacksReport")
