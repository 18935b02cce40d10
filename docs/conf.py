"""Sphinx: these pages as HTML. ``make docs`` runs it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from khhw import __version__

project = "khhw"
copyright = "the khhw authors"
version = release = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
# Links to headings work here as they do on a forge.
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"khhw {__version__}"
html_show_sphinx = False
pygments_style = "default"
