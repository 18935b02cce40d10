"""Kernel images: the bytes that travel to a node and what is run of them.

An image is a header, the name of its entry, the name of the kernel and the kernel's Python code. What runs
is compiled from these bytes and from nothing else.
"""

import builtins
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from khhw.node import Node

__all__ = [
    "ALLOWED_IMPORTS", "HEADER_BYTES", "Image", "ImageError", "Main", "build_image", "image_length", "load_image",
]

Main = Callable[[Node, str], Awaitable[None]]
"""Entry of a kernel: ``async def main(node, arguments)``."""

_MAGIC = b"KHKI"
_VERSION = 1
_HEADER = struct.Struct(">4sHHII16s32s")
HEADER_BYTES = _HEADER.size
"""Magic, version, 0, length of the whole image, CRC-32 of everything behind the CRC, entry, kernel name."""
_CRC_END = 16

ALLOWED_IMPORTS = (
    "khhw.node", "khhw.net", "rtl.formats", "rtl.parameters", "rtl.registers",
    "binascii", "collections", "dataclasses", "enum", "functools", "heapq", "itertools", "json", "math", "operator",
    "random", "re", "statistics", "string", "struct", "textwrap", "typing", "zlib",
)
"""What the code of a kernel may import; submodules included."""


class ImageError(ValueError):
    """Bytes that are not a kernel image, or code that cannot be one."""


@dataclass(frozen=True)
class Image:
    """A checked image.

    Parameters
    ----------
    name : str
        Of the kernel.
    entry : str
        Function that is run.
    code : bytes
        Python source.
    length : int
        Bytes of the whole image.
    """

    name: str
    entry: str
    code: bytes
    length: int

    @classmethod
    def parse(cls, data: bytes) -> "Image":
        """Check an image; bytes behind its end do not matter.

        Raises
        ------
        ImageError
            If a single bit of it is not what was built.
        """
        if len(data) < HEADER_BYTES:
            raise ImageError(f"An image has at least {HEADER_BYTES} bytes, not {len(data)}")
        magic, version, _, length, crc, entry, name = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise ImageError(f"No image: it begins with {magic.hex()}, not {_MAGIC.hex()}")
        if version != _VERSION:
            raise ImageError(f"Image version {version}; this loader knows {_VERSION}")
        if not HEADER_BYTES <= length <= len(data):
            raise ImageError(f"The image says it has {length} bytes; there are {len(data)}")
        found = _checksum(data[:length])
        if found != crc:
            raise ImageError(f"Wrong checksum: the header says {crc:08x}, the image has {found:08x}")
        return cls(_text(name), _text(entry), bytes(data[HEADER_BYTES:length]), length)


def _checksum(image: bytes) -> int:
    """CRC-32 of an image without the field that holds it."""
    return zlib.crc32(image[_CRC_END:], zlib.crc32(image[:_CRC_END - 4]))


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode("ascii")


def build_image(kernel: Path | str | ModuleType, *, entry: str = "main") -> bytes:
    """The image of a kernel.

    Parameters
    ----------
    kernel : Path, str or module
        Its Python file, or the module.
    entry : str
        The ``async def`` that is run with (node, arguments).

    Raises
    ------
    ImageError
        If the code does not compile, has no such entry or imports what a kernel may not.
    """
    path = Path(str(kernel.__file__) if isinstance(kernel, ModuleType) else kernel)
    try:
        code = path.read_bytes()
    except OSError as error:
        raise ImageError(f"Kernel {path} cannot be read: {error}") from None
    name, coded = path.stem.encode("ascii", "replace"), entry.encode("ascii", "replace")
    if len(name) > 32 or len(coded) > 16:
        raise ImageError(f"Kernel name {path.stem!r} or entry {entry!r} is longer than 32 and 16 letters")
    length = HEADER_BYTES + len(code)
    head = _HEADER.pack(_MAGIC, _VERSION, 0, length, 0, coded, name)
    crc = _checksum(head + code)
    image = _HEADER.pack(_MAGIC, _VERSION, 0, length, crc, coded, name) + code
    load_image(image)
    return image


def image_length(header: bytes) -> int:
    """Length of the image whose first :data:`HEADER_BYTES` bytes are given.

    Raises
    ------
    ImageError
        If these are not the header of an image.
    """
    magic, _, _, length, _, _, _ = _HEADER.unpack(header)
    if magic != _MAGIC:
        raise ImageError(f"No image: memory holds {magic.hex()}, not {_MAGIC.hex()}")
    return int(length)


def load_image(data: bytes) -> Main:
    """Compile the code in an image and give its entry.

    Raises
    ------
    ImageError
        If the image is damaged, or its code does not run or may not.
    """
    image = Image.parse(data)
    place = f"<image {image.name}>"
    try:
        code: CodeType = compile(image.code, place, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise ImageError(f"Kernel {image.name} does not compile: {error}") from None
    module = ModuleType(f"image.{image.name}")
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import, **dict.fromkeys(_FORBIDDEN, _forbidden)}
    try:
        exec(code, module.__dict__)
    except Exception as error:
        raise ImageError(f"Kernel {image.name} does not start: {type(error).__name__}: {error}") from error
    main = module.__dict__.get(image.entry)
    if not callable(main):
        raise ImageError(f"Kernel {image.name} has no function {image.entry!r}")
    entry: Main = main
    return entry


_FORBIDDEN = ("open", "input", "breakpoint", "print")


def _forbidden(*_args: object, **_keywords: object) -> None:
    raise ImageError("A kernel has no files and no terminal; it speaks through node.console")


def _import(
    name: str, namespace: Mapping[str, object] | None = None, _locals: Mapping[str, object] | None = None,
    names: Sequence[str] | None = (), level: int = 0,
) -> Any:
    """``import`` as kernels have it."""
    if level or not any(name == allowed or name.startswith(allowed + ".") for allowed in ALLOWED_IMPORTS):
        raise ImageError(f"A kernel may not import {name!r}; it may import {', '.join(ALLOWED_IMPORTS)}")
    return builtins.__import__(name, namespace, None, names or (), level)
