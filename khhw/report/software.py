"""What charged software time in each phase."""

from khhw.machine.results import Results
from khhw.report.words import listing

__all__ = ["phase_software", "software_words"]


def phase_software(results: Results) -> list[tuple[str, str, float]]:
    """Name, CPU model and factor on its costs, a phase each, as the machine file has them or its ``[host]``."""
    host = results.parameters.get("host", {})
    return [(phase.get("name", ""), phase.get("cpu") or host.get("cpu", results.cpu_model),
             float(phase.get("cpu_scale") or host.get("cpu_scale", 1.0)))
            for phase in results.parameters.get("phases", [])]


def software_words(results: Results) -> str:
    """``ideal (slide1, attacks), ppc450 (memcached) and ppc450 x 0.25 (memcached_quick)``; without phases the run's."""
    found: dict[str, list[str]] = {}
    for name, model, scale in phase_software(results):
        found.setdefault(model if model == "ideal" or scale == 1 else f"{model} x {scale:g}", []).append(name)
    if len(found) < 2:
        return next(iter(found), results.cpu_model)
    return listing(f"{model} ({', '.join(names)})" for model, names in found.items())
