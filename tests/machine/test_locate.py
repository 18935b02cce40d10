"""Every key of a TOML text is found on its line again."""

import pytest

from khhw.machine.locate import line_of, lines_of

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


def test_strings_of_many_lines_and_brackets_in_strings() -> None:
    text = '''a = [\n "]", # [\n """\n]"\n",""", [1,\n2], {x = 1, y = "}"}\n]\nb = 1 # ]\nc = [[1], []]\n'''
    assert [line_of(text, ("a", index)) for index in range(4)] == [2, 5, 6, 6]
    assert [line_of(text, path) for path in (("b",), ("c",), ("c", 1))] == [8, 9, 9]


def test_a_file_is_read_once_however_long_it_is() -> None:
    """It took more than 40 s of one with 8,000 lines: every further line was parsed with all before."""
    text = "a = [\n" + "[1, 2],\n" * 20_000 + "]\n" + "".join(f"k{n} = {n}\n" for n in range(20_000))
    lines = lines_of(text)
    assert [lines(("a", 19_999)), lines(("k19999",))] == [20_001, 40_002]
