"""Lines that a person types into a TCP connection, telnet's or any other client's."""

__all__ = ["LINE_LIMIT", "TypedLines"]

LINE_LIMIT = 1000
"""Longest line a loader takes, prefix and line end kept free."""

_IAC, _SB, _SE = 0xFF, 0xFA, 0xF0
_WILL, _DONT = 0xFB, 0xFE


class TypedLines:
    """Cuts bytes into lines and leaves out what telnet says about itself.

    No option is ever offered or taken up, so a telnet client stays in its line mode: it edits and echoes by itself.

    Attributes
    ----------
    dropped : int
        Lines longer than :data:`LINE_LIMIT`; none of it was kept.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._line = bytearray()
        self._command = bytearray()

    def feed(self, data: bytes) -> list[str]:
        """The lines that end in `data`, without their ends."""
        lines = []
        for byte in data:
            if self._command or byte == _IAC:
                self._negotiate(byte)
            elif byte == ord("\n"):
                if len(self._line) <= LINE_LIMIT:
                    lines.append(self._line.decode("utf-8", "replace"))
                else:
                    self.dropped += 1
                self._line.clear()
            elif byte not in b"\r\0" and len(self._line) <= LINE_LIMIT:
                self._line.append(byte)
        return lines

    def _negotiate(self, byte: int) -> None:
        """One more byte of a command: IAC and a code, an option for some, all up to IAC SE for a subnegotiation."""
        self._command.append(byte)
        if len(self._command) < 2:
            return
        code = self._command[1]
        if code == _SB:
            over = len(self._command) > 3 and self._command[-2:] == bytes([_IAC, _SE])
            del self._command[2:-2]
        else:
            over = len(self._command) == (3 if _WILL <= code <= _DONT else 2)
        if over:
            self._command.clear()
