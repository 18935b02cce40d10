"""Small waveforms of a fabric, written by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

PERIOD = 2


def write_vcd(file: Path, signals: Mapping[str, tuple[int, Sequence[int]]], cycles: Sequence[int]) -> Path:
    """A VCD file: of each signal of the fabric its width, and its value in every step; `cycles` are those of now."""
    every = {"now": (64, cycles), **signals}
    names = {name: f"s{index}" for index, name in enumerate(every)}
    lines = ["$timescale 1ns $end", "$scope module khhw_fabric $end"]
    scope: list[str] = []
    for name in sorted(every, key=lambda name: name.rpartition(".")[0]):
        path, _, last = name.rpartition(".")
        wanted = path.split(".") if path else []
        lines += ["$upscope $end"] * len(scope) + [f"$scope module {part} $end" for part in wanted]
        scope = wanted
        lines.append(f"$var wire {every[name][0]} {names[name]} {last} $end")
    lines += ["$upscope $end"] * (len(scope) + 1) + ["$enddefinitions $end"]
    for step in range(len(cycles)):
        lines.append(f"#{step * PERIOD}")
        lines += [f"b{values[step]:b} {names[name]}" for name, (_, values) in every.items()
                  if not step or values[step] != values[step - 1]]
    lines.append(f"#{len(cycles) * PERIOD}")
    file.write_text("\n".join(lines) + "\n")
    return file
