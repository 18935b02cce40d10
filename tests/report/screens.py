"""A terminal emulator, and texts that try to be more than text."""

import pyte
from hypothesis import strategies as st

COLUMNS, ROWS = 80, 60

SEQUENCES = (
    "\x1b[2J", "\x1b[H", "\x1b[1A\x1b[2K", "\x1b]0;owned\x07", "\x1b]2;owned\x1b\\", "\x1b[31m", "\x1b[?25l", "\x1bc",
    "\x1b(0", "\x9b2J", "\x9d0;owned\x9c", "\x85", "\r", "\b" * 40, "\n", "\x0b", "\x0c", "\x0e", "\x7f", "\0", "\t",
    "\u2028", "\u2029", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\U000e0041", "\u0301" * 60, "e\u0301" * 5,
    "\ud7b0", "\u1160", "\u115f", "\u3164", "漢字", "👩\u200d🚀", "\ud800", "\udc80", "\x1b[6n", "\x1b[5i",
    "\x1b[?1049h", "[red]", "[/]", ":skull:", "<b>", "&amp;", "[bold link=http://x]", "x" * 100,
)
HOSTILE = st.lists(st.sampled_from(SEQUENCES) | st.text(max_size=6), max_size=8).map("".join)
"""Any text, most often of what terminals obey and of what rich or a browser would."""


class Terminal:
    """A terminal that was given everything that was printed.

    Parameters
    ----------
    printed : str
    """

    def __init__(self, printed: str):
        self.screen = pyte.Screen(COLUMNS, ROWS)
        pyte.Stream(self.screen).feed(printed.replace("\r\n", "\n").replace("\n", "\r\n"))

    @property
    def rows(self) -> list[str]:
        return [row.rstrip() for row in self.screen.display]

    @property
    def state(self):
        """What must not depend on any text."""
        screen = self.screen
        return (screen.title, screen.icon_name, frozenset(screen.mode), screen.cursor.x, screen.cursor.hidden,
                screen.cursor.attrs, screen.charset, screen.margins, screen.g0_charset, screen.g1_charset)

    def cells(self, row: int) -> list[str]:
        """What stands in each column of a row."""
        return [self.screen.buffer[row][column].data for column in range(COLUMNS)]

    def coloured(self, row: int) -> bool:
        """Whether any cell of a row is not as it is by default."""
        plain = self.screen.default_char
        return any(cell._replace(data=plain.data) != plain for cell in self.screen.buffer[row].values())


def check(printed: str, harmless: str, stamp: str) -> None:
    """A text printed between two others changed nothing but its own line, and not who is said to speak there.

    Parameters
    ----------
    printed : str
        All that was printed, with the hostile text in it.
    harmless : str
        The same with another text in its place, a short one.
    stamp : str
        What stands in front of both.
    """
    found, wanted = Terminal(printed), Terminal(harmless)
    assert found.state == wanted.state
    assert printed.count("\n") == harmless.count("\n"), "it began a line of its own, where a stamp could stand"
    row = next(index for index, text in enumerate(wanted.rows) if text.startswith(stamp.rstrip()))
    more = sum(map(bool, found.rows)) - sum(map(bool, wanted.rows))
    assert more >= 0
    assert found.rows[:row] == wanted.rows[:row]
    assert found.cells(row)[:len(stamp)] == wanted.cells(row)[:len(stamp)]
    assert found.rows[row + 1 + more:] == [*wanted.rows[row + 1:], *[""] * more][:len(found.rows) - row - 1 - more]
    assert found.screen.cursor.y == wanted.screen.cursor.y + more
    assert not any(found.coloured(index) for index in range(row, row + 1 + more))
