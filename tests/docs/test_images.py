"""Pictures on pages are those of the results that are kept beside them."""

from pathlib import Path

import numpy as np
from matplotlib.image import imread

from docs.images.kept import IMAGES, drawn, save

BY_OTHERS = {"overview", "moving_node"}
FEW = 0.004
"""Of a picture's brightness, on the average of its pixels: letters of another version of a font differ less."""


def test_kept_pictures_are_current(tmp_path: Path) -> None:
    found = dict(drawn())
    assert {file.stem for file in IMAGES.glob("*.png")} == found.keys() | BY_OTHERS
    for name, picture in found.items():
        save(picture, tmp_path / "now.png")
        kept, now = imread(IMAGES / f"{name}.png"), imread(tmp_path / "now.png")
        assert kept.shape == now.shape and np.abs(kept - now).mean() < FEW, (
            f"{name}.png is of another version; write it again with: python -m docs.images.kept")
