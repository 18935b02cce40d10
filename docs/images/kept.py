"""The pictures of the pages that show a run whose results are kept.

Run it in the root of the checkout: ``python -m docs.images.kept`` writes them into ``docs/images``. The others:
``python -m docs.images.overview``; ``examples/moving_node``, whose results are kept without its operations.
"""

from collections.abc import Iterator
from pathlib import Path

from khhw.control.domains import Domains
from khhw.control.reach import DomainChange
from khhw.machine.reading import load
from khhw.machine.results import Results
from khhw.report.domains.pictures import change_picture
from khhw.report.picture import Picture
from khhw.report.style import styled
from khhw.report.sweep.pictures import sweep_pictures
from khhw.report.write import pictures
from khhw.sweep.results import SweepResults

__all__ = ["IMAGES", "drawn", "save"]

IMAGES = Path(__file__).parent
RESULTS = IMAGES.parent / "results"
SHOWN = {
    "talk": {"matrix_slide2": "matrix_slide2", "memcached_parts_ppc450": "memcached_parts"},
    "memcached-study": {f"memcached_{name}": f"study_{name}" for name in (
        "size_ppc450", "parts_ppc450", "software_cost", "clients_ppc450", "cdf")},
}
"""By kept run: name of its picture, and name of the file."""


def drawn() -> Iterator[tuple[str, Picture]]:
    """Names of the files, without their endings, and the pictures."""
    for run, names in SHOWN.items():
        for picture in pictures(Results.read(RESULTS / f"{run}.json")):
            if picture.name in names:
                yield names[picture.name], picture
    sweep = SweepResults.model_validate_json((RESULTS / "sweep-8x8x8.json").read_text(encoding="utf-8"))
    yield "sweep-8x8x8", sweep_pictures(sweep)[0]
    machine = load(IMAGES.parents[1] / "examples" / "talk.toml")
    before, after = (Domains(machine.matrix(name)) for name in ("slide1", "slide2"))
    yield "domains_change", change_picture(("slide1", "slide2"), DomainChange(before, after))


def save(picture: Picture, file: Path) -> None:
    """Write a picture without its numbers: these are kept already."""
    with styled():
        picture.figure.savefig(file, metadata={"Software": None})


if __name__ == "__main__":
    for name, picture in drawn():
        save(picture, IMAGES / f"{name}.png")
        print(IMAGES / f"{name}.png")
