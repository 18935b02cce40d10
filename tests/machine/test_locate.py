"""Every key of a TOML text is found on its line again."""

import pytest

from khhw.machine.locate import line_of

TEXT = """\
name = "x"
[torus]
shape = [2,
  2, 2]
[domains.slide1]
rules = [
  "0 -> 1",   # a comment, with ] and [
  "1 -> 2",
]
[[phases]]
name="a"
kernels = [
  {nodes="all", kernel="p"},
  {nodes=[0], kernel="q"},
]
[[phases]]
name="b"
[phases.sub]
"quoted key".k = 1
"""


@pytest.mark.parametrize(("path", "line"), [
    (("name",), 1),
    (("torus", "shape", 2), 4),
    (("domains", "slide1", "rules", 1), 8),
    (("phases", 0, "kernels", 1), 14),
    (("phases", 0, "kernels", 1, "nodes"), 14),
    (("phases", 1, "name"), 17),
    (("phases", 1, "sub", "quoted key", "k"), 19),
    (("phases", 1, "absent"), 16),
    (("absent",), 1),
    (("domains",), 5),
    (("phases",), 10),
    (("phases", 1, "sub", "quoted key"), 19),
])
def test_line_of_a_path(path: tuple[str | int, ...], line: int) -> None:
    assert line_of(TEXT, path) == line
