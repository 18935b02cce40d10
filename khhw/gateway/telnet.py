"""The host's side of telnet: what people and programs type into a TCP connection, and what is printed to them.

RFC 854 and 855, with Suppress Go Ahead (RFC 858), which is what a host does that never says go ahead, and Timing Mark
(RFC 860). Echo (RFC 857) is left to the client, as is everything else; nothing is offered, so programs that know no
telnet are told nothing they do not understand. Where RFC 1123, section 3, has it otherwise than RFC 854, it counts.
"""

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass

from khhw.node.commands import LINE_LIMIT

__all__ = ["Event", "Line", "Reply", "Telnet", "TooLong", "WebPage", "printed"]

_CR, _LF, _SPACES = 0x0D, 0x0A, b" \t"
_ERASE_CHARACTER, _ERASE_LINE = b"\x08\x7f", b"\x03\x15"
"""Keys of a client that sends each character as it is typed: backspace and delete, Ctrl-C and Ctrl-U."""
_HTTP = b"HTTP/"
_ALIVE = b"[Yes]\r\n"
_LINE_END = re.compile(rb"\r\n|\n|\r")


class _Code(enum.IntEnum):
    """What follows an IAC. Codes that are not here ask for nothing."""

    SE = 240
    """End of a subnegotiation."""
    DM = 242
    """Data mark: the end of a Synch."""
    IP = 244
    """Interrupt process."""
    AO = 245
    """Abort output."""
    AYT = 246
    """Are you there?"""
    EC = 247
    """Erase character."""
    EL = 248
    """Erase line."""
    SB = 250
    """Begin of a subnegotiation."""
    WILL = 251
    WONT = 252
    DO = 253
    DONT = 254
    IAC = 255


_SUPPRESS_GO_AHEAD, _TIMING_MARK = 3, 6
_DONE_HERE = frozenset({_SUPPRESS_GO_AHEAD})
"""Options that are taken up, for either side, if the client asks for it."""


@dataclass(frozen=True)
class Line:
    """A line was typed; `text` is without its end."""

    text: str


@dataclass(frozen=True)
class TooLong:
    """A line of more than :data:`~khhw.node.commands.LINE_LIMIT` bytes was typed; none of it was kept."""


@dataclass(frozen=True)
class WebPage:
    """A line of HTTP came: it is a browser that talks here, and nothing that follows is to be obeyed."""


@dataclass(frozen=True)
class Reply:
    """What the client is to be sent.

    Parameters
    ----------
    data : bytes
    urgent : bool
        As urgent data of TCP, whose last byte is that of `data`: a Synch.
    """

    data: bytes
    urgent: bool = False


Event = Line | TooLong | WebPage | Reply


class _State(enum.Enum):
    """Where in the client's stream the next byte is."""

    TEXT = enum.auto()
    COMMAND = enum.auto()
    """Behind an IAC."""
    OPTION = enum.auto()
    """Behind WILL, WONT, DO or DONT."""
    SUBNEGOTIATION = enum.auto()
    SUBNEGOTIATION_COMMAND = enum.auto()
    """Behind an IAC in a subnegotiation."""


class Telnet:
    """Takes a client's stream apart, however it is cut. What it keeps is bounded by the longest line.

    A line ends at CR LF, CR NUL, LF or a CR alone. Options follow RFC 1143 for a side that only answers: a request
    that changes nothing is answered by nothing, so that no two hosts can answer each other for ever.
    """

    def __init__(self) -> None:
        self._state = _State.TEXT
        self._verb = _Code.WILL
        self._here: set[int] = set()
        self._there: set[int] = set()
        self._synch = False
        self._line = bytearray()
        self._word = bytearray()
        self._in_word = False
        self._behind_cr = False

    def synchronize(self) -> None:
        """Urgent data is on its way (a Synch): text is dropped up to its data mark, commands are not."""
        self._synch = True
        self._erase_line()

    def feed(self, data: bytes) -> Iterator[Event]:
        """What the next bytes say. Bytes are looked at one by one, as the iterator is asked."""
        for byte in data:
            event = self._take(byte)
            if event is not None:
                yield event

    def _take(self, byte: int) -> Event | None:
        state = self._state
        if state is _State.TEXT:
            if byte != _Code.IAC:
                return self._text(byte)
            self._state = _State.COMMAND
        elif state is _State.COMMAND:
            return self._command(byte)
        elif state is _State.OPTION:
            self._state = _State.TEXT
            return self._negotiate(byte)
        elif state is _State.SUBNEGOTIATION:
            if byte == _Code.IAC:
                self._state = _State.SUBNEGOTIATION_COMMAND
        elif byte == _Code.IAC:
            self._state = _State.SUBNEGOTIATION
        else:
            # SE ends it. So does any other command, which is then obeyed: its SE will not come.
            return self._command(byte)
        return None

    def _command(self, code: int) -> Event | None:
        self._state = _State.TEXT
        match code:
            case _Code.IAC:
                return self._text(code)
            case _Code.WILL | _Code.WONT | _Code.DO | _Code.DONT:
                self._state, self._verb = _State.OPTION, _Code(code)
            case _Code.SB:
                self._state = _State.SUBNEGOTIATION
            case _Code.DM:
                self._synch = False
            case _Code.AYT:
                return Reply(_ALIVE)
            case _Code.AO:
                return Reply(bytes([_Code.IAC, _Code.DM]), urgent=True)
            case _Code.IP | _Code.EL:
                self._erase_line()
            case _Code.EC:
                self._erase_character()
        return None

    def _negotiate(self, option: int) -> Reply | None:
        if option == _TIMING_MARK:
            # No state: each request is a mark of its own in the stream. What is not asked for here is not answered.
            return _reply(_Code.WILL, option) if self._verb == _Code.DO else None
        asks = self._verb in (_Code.WILL, _Code.DO)
        side, yes, no = ((self._there, _Code.DO, _Code.DONT) if self._verb in (_Code.WILL, _Code.WONT) else
                         (self._here, _Code.WILL, _Code.WONT))
        if asks == (option in side):
            return None
        if not asks:
            side.discard(option)
            return _reply(no, option)
        if option not in _DONE_HERE:
            return _reply(no, option)
        side.add(option)
        return _reply(yes, option)

    def _text(self, byte: int) -> Event | None:
        if self._synch:
            return None
        behind_cr, self._behind_cr = self._behind_cr, byte == _CR
        if byte == _CR or (byte == _LF and not behind_cr):
            return self._end()
        if not byte:
            # CR NUL LF is one end as well: some clients send both.
            self._behind_cr = behind_cr
        elif _SUPPRESS_GO_AHEAD in self._here and byte in _ERASE_CHARACTER:
            self._erase_character()
        elif _SUPPRESS_GO_AHEAD in self._here and byte in _ERASE_LINE:
            self._erase_line()
        elif byte != _LF:
            self._add(byte)
        return None

    def _add(self, byte: int) -> None:
        if len(self._line) <= LINE_LIMIT:
            self._line.append(byte)
        was_in_word, self._in_word = self._in_word, byte not in _SPACES
        if self._in_word:
            if not was_in_word:
                self._word.clear()
            if len(self._word) < len(_HTTP):
                self._word.append(byte)

    def _end(self) -> Event:
        line, too_long = bytes(self._line), len(self._line) > LINE_LIMIT
        word = bytes(self._word) if too_long else b"".join(line.split()[-1:])
        self._erase_line()
        if word.startswith(_HTTP):
            return WebPage()
        return TooLong() if too_long else Line(line.decode("utf-8", "replace"))

    def _erase_line(self) -> None:
        self._line.clear()
        self._word.clear()
        self._in_word = False

    def _erase_character(self) -> None:
        """The last one, in UTF-8. A line that is too long stays so."""
        if len(self._line) > LINE_LIMIT:
            return
        while self._line and self._line[-1] & 0xC0 == 0x80:
            self._line.pop()
        del self._line[-1:]


def _reply(verb: _Code, option: int) -> Reply:
    return Reply(bytes([_Code.IAC, verb, option]))


def printed(text: bytes) -> bytes:
    """A text as the network virtual terminal takes it: lines end with CR LF, a CR alone is CR NUL, IAC is doubled."""
    text = text.replace(b"\xff", b"\xff\xff")
    return _LINE_END.sub(lambda end: b"\r\0" if end[0] == b"\r" else b"\r\n", text)
