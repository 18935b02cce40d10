"""Files that tell viewers of waves what to show."""

import os
from pathlib import Path

from khhw.machine.viewers import write_viewer_files
from khhw.node import Shape


def test_a_folder_whose_name_is_no_utf_8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/o\xff"))
    folder.mkdir()
    for file in write_viewer_files(folder / "dump.fst", Shape(1, 1, 1)):
        assert os.fsencode(folder / "dump.fst") in file.read_bytes()
