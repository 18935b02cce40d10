"""What captures hold: a reader that knows whole blocks only, and tshark."""

import shutil
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6


@dataclass
class Block:
    """A block: its type, its fixed part, what it carries, and its options by code."""

    kind: int
    fixed: tuple[int, ...]
    content: bytes
    options: dict[int, bytes] = field(default_factory=dict)


def blocks(file: bytes) -> Iterator[Block]:
    """The whole blocks of a capture; raises at what is none."""
    offset = 0
    while len(file) - offset >= 12:
        kind, length = struct.unpack_from("<II", file, offset)
        assert length % 4 == 0
        if offset + length > len(file):
            return
        assert struct.unpack_from("<I", file, offset + length - 4) == (length,)
        yield _block(kind, file[offset + 8:offset + length - 4])
        offset += length


def _block(kind: int, body: bytes) -> Block:
    form = {SECTION: "<IHHq", INTERFACE: "<HHI", PACKET: "<IIIII"}[kind]
    fixed, offset = struct.unpack_from(form, body), struct.calcsize(form)
    block = Block(kind, fixed, b"")
    if kind == PACKET:
        block.content = body[offset:offset + fixed[3]]
        offset += fixed[3] + -fixed[3] % 4
    while True:
        code, length = struct.unpack_from("<HH", body, offset)
        if code == 0:
            assert offset + 4 == len(body)
            return block
        block.options[code] = body[offset + 4:offset + 4 + length]
        offset += 4 + length + -length % 4


def require_tshark() -> None:
    """Skip the test where there is no tshark."""
    if shutil.which("tshark") is None:
        pytest.skip("there is no tshark here to read captures with; Debian has it in the package tshark")


def tshark(*options: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    """What tshark prints; the test is skipped where there is none."""
    require_tshark()
    done = subprocess.run(["tshark", *map(str, options)], input=stdin, capture_output=True, timeout=120, check=False)
    return subprocess.CompletedProcess(done.args, done.returncode, *(
        text.decode(errors="replace") for text in (done.stdout, done.stderr)))


def rows(file: Path, *fields: str, more: tuple[object, ...] = ()) -> list[list[str]]:
    """Fields of every packet of a capture, by tshark."""
    done = tshark("-r", file, *more, "-T", "fields", *(word for name in fields for word in ("-e", name)))
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]
