"""Kernel images: the bytes that travel to a node and what is run of them.

An image is a header, the name of its entry, the name of the kernel and the kernel's modules, compressed. What
runs is compiled from these bytes and from nothing else.
"""

import builtins
import inspect
import struct
import sys
import traceback
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, ModuleType
from typing import Any

from khhw.kernels.forgotten import Forgotten
from khhw.kernels.modules import KernelModuleError, Source, kernel_modules
from khhw.node import Node
from khhw.node.commands import controls, shortened

__all__ = [
    "ALLOWED_IMPORTS", "HEADER_BYTES", "Files", "Image", "ImageError", "Main", "RefusedError", "build_image",
    "described", "image_length", "load_image", "module_files", "place_of",
]

Main = Callable[[Node, str], Awaitable[None]]
"""Entry of a kernel: ``async def main(node, arguments)``."""

Files = Mapping[tuple[str, bytes], str]
"""The file that a module of an image was made from, by the module's name and source: an image itself names no file."""

_MAGIC = b"KHKI"
_VERSION = 2
_HEADER = struct.Struct(">4sHHII16s32s")
HEADER_BYTES = _HEADER.size
"""Magic, version, 0, length of the whole image, CRC-32 of everything behind the CRC, entry, kernel name."""
_CRC_END = 16
_MODULE = struct.Struct(">HI")
"""Bytes of a module's name and of its source; both follow. The main module comes first."""
_LARGEST = 1 << 20
"""Bytes of all modules together, unpacked."""
_MOST_SAID = 1000
"""Characters that are said of an exception."""
_FILE = "<image {}>"
"""What a module of an image is compiled as if its file is not known, and so named by in a traceback."""
_PREFIX = "image."
"""Begins the names of modules that run from an image."""

ALLOWED_IMPORTS = (
    "khhw.node", "khhw.net", "rtl.formats", "rtl.parameters", "rtl.registers",
    "binascii", "bisect", "collections", "dataclasses", "enum", "functools", "heapq", "itertools", "json", "math",
    "operator", "random", "re", "statistics", "string", "struct", "textwrap", "typing", "zlib",
)
"""What the code of a kernel may import besides modules in its own image; submodules included."""

_TASKS = "khhw.node has spawn, gather, timeout, Event and Queue"
_INSTEAD = {
    "pdb": "breakpoint() stops in Python's debugger, and needs no import", "asyncio": _TASKS, "threading": _TASKS,
    "time": "node.now is the cycle, and node.sleep lets time pass", "logging": "node.console.print speaks for a kernel",
}
"""What a kernel has instead of a module that it may not import."""


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
    modules : mapping of str to bytes
        Python sources by the names they are imported with, the one with the entry first.
    length : int
        Bytes of the whole image.
    """

    name: str
    entry: str
    modules: Mapping[str, bytes]
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
        return cls(_text(name), _text(entry), _unpack(data[HEADER_BYTES:length]), length)


def _checksum(image: bytes) -> int:
    """CRC-32 of an image without the field that holds it."""
    return zlib.crc32(image[_CRC_END:], zlib.crc32(image[:_CRC_END - 4]))


def _pack(modules: Mapping[str, bytes]) -> bytes:
    """Modules as they follow the header."""
    parts = ((_MODULE.pack(len(name.encode()), len(source)), name.encode(), source) for name, source in modules.items())
    return zlib.compress(b"".join(field for part in parts for field in part), 9)


def _unpack(data: bytes) -> dict[str, bytes]:
    """Modules of an image whose checksum is right."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, _LARGEST)
    except zlib.error as error:
        raise ImageError(f"The modules of the image are not compressed with zlib: {error}") from None
    if not unpacker.eof:
        raise ImageError(f"The modules of the image do not end, or have more than {_LARGEST} bytes")
    modules, place = {}, 0
    try:
        while place < len(text):
            name_bytes, source_bytes = _MODULE.unpack_from(text, place)
            start = place + _MODULE.size + name_bytes
            modules[text[place + _MODULE.size:start].decode()] = text[start:start + source_bytes]
            place = start + source_bytes
    except (struct.error, UnicodeDecodeError):
        place = -1
    if not modules or place != len(text):
        raise ImageError("The modules of the image do not fill it")
    return modules


def _text(field: bytes) -> str:
    try:
        return field.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        raise ImageError(f"The name {field!r} in the header is no UTF-8") from None


def build_image(kernel: Path | str | ModuleType, *, entry: str = "main") -> bytes:
    """The image of a kernel.

    Parameters
    ----------
    kernel : Path, str or module
        Its Python file or folder, or the module or package.
    entry : str
        The ``async def`` that is run with (node, arguments).

    Raises
    ------
    ImageError
        If the code does not compile, has no such entry or imports what a kernel may not.
    """
    path = Path(str(kernel.__file__) if isinstance(kernel, ModuleType) else kernel)
    if path.name == "__init__.py":
        path = path.parent
    if controls(path.stem + entry):
        raise ImageError(f"Kernel name {path.stem!r} or entry {entry!r} has control characters; it is said on a line")
    name, coded = path.stem.encode(), entry.encode()
    if len(name) > 32 or len(coded) > 16:
        raise ImageError(f"Kernel name {path.stem!r} or entry {entry!r} is longer than 32 and 16 bytes")
    try:
        sources = kernel_modules(path)
    except KernelModuleError as error:
        raise ImageError(str(error)) from None
    body = _pack({module: source for module, (_, source) in sources.items()})
    length = HEADER_BYTES + len(body)
    head = _HEADER.pack(_MAGIC, _VERSION, 0, length, 0, coded, name)
    image = _HEADER.pack(_MAGIC, _VERSION, 0, length, _checksum(head + body), coded, name) + body
    load_image(image, _files_of(sources))
    return image


def module_files(kernels: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """By the name of each kernel, the files of its modules; :func:`build_image` has found them."""
    return {name: {module: str(file.absolute()) for module, (file, _) in kernel_modules(kernel).items()}
            for name, kernel in kernels.items()}


def _files_of(sources: Mapping[str, Source]) -> Files:
    """:data:`Files` of what :func:`~khhw.kernels.modules.kernel_modules` has found."""
    return {(module, source): str(file.absolute()) for module, (file, source) in sources.items()}


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


def load_image(data: bytes, files: Files | None = None, forgotten: Forgotten | None = None) -> Main:
    """Compile the code in an image and give its entry.

    Parameters
    ----------
    data : bytes
        The image; what is behind its end does not matter.
    files : mapping, optional
        Where modules come from, for tracebacks and the debugger. What is not in it is named after the image.
    forgotten : Forgotten, optional
        Is told where the code drops a coroutine that it has not awaited, from now on.

    Raises
    ------
    ImageError
        If the image is damaged, its code does not run or may not, or its entry is no coroutine of two arguments.
    """
    image = Image.parse(data)
    loaded = _Modules(image, files or {}, forgotten or Forgotten())
    name = next(iter(image.modules))
    try:
        module = loaded.module(name)
    except RefusedError as error:
        # What stands in the way is said completely, where it stands: how khhw came to say it helps nobody.
        raise ImageError(f"{loaded.place(error)}: kernel {image.name} does not start: {error}") from None
    except BaseException as error:
        # Also one that looks like Ctrl-C, which the process that runs a machine takes as a signal.
        raise ImageError(f"Kernel {image.name} does not start: {described(error)}{place_of(error)}") from error
    if image.entry not in module.__dict__:
        raise ImageError(f"Kernel {image.name} has no function {image.entry!r}: {loaded.file(name)} must define "
                         f"async def {image.entry}(node, arguments)")
    entry: Main = module.__dict__[image.entry]
    _check_entry(image, entry, loaded.file(name))
    return entry


def _check_entry(image: Image, main: Any, file: str) -> None:
    """Refuse an entry that a loader could not await."""
    plain = inspect.unwrap(main) if callable(main) else None
    code = getattr(plain, "__code__", None)
    place = f"{code.co_filename}:{code.co_firstlineno}" if isinstance(code, CodeType) else file
    wanted = f"a kernel needs async def {image.entry}(node, arguments)"
    if not (inspect.iscoroutinefunction(main) or inspect.iscoroutinefunction(plain)):
        kind = "an async generator: it has a yield" if inspect.isasyncgenfunction(plain) else "no coroutine"
        raise ImageError(f"{place}: {image.entry} of kernel {image.name} is {kind}; {wanted}")
    try:
        inspect.signature(main).bind(None, "")
    except TypeError as error:
        raise ImageError(f"{place}: {image.entry} of kernel {image.name} does not take a node and its arguments "
                         f"({error}); {wanted}") from None


def described(error: BaseException) -> str:
    """What an exception of foreign code says, on one line of at most 1,000 characters."""
    try:
        text = str(error)
    except BaseException as another:
        text = f"(its text cannot be had: {type(another).__name__})"
    text = " ".join(text.splitlines())
    return f"{type(error).__name__}: {text[:_MOST_SAID]}{'...' if len(text) > _MOST_SAID else ''}".removesuffix(": ")


def place_of(error: BaseException) -> str:
    """Where in the code of an image an exception was raised: ``, in MODULE line N``; empty if in none of it."""
    try:
        # Python makes another error of a StopIteration that leaves a coroutine.
        causes = () if error.__cause__ is None else traceback.walk_tb(error.__cause__.__traceback__)
        frames = [*traceback.walk_tb(error.__traceback__), *causes]
    except BaseException:
        # An exception may refuse to say even that.
        return ""
    for frame, line in reversed(frames):
        name = frame.f_globals.get("__name__")
        if isinstance(name, str) and name.startswith(_PREFIX):
            return f", in {shortened(name.removeprefix(_PREFIX))} line {line}"
    return ""


class RefusedError(ImageError):
    """Code of an image asked for what a kernel has not."""


def _forbidden(*_args: object, **_keywords: object) -> None:
    raise RefusedError("A kernel has no files and no terminal; it speaks through node.console")


_FORBIDDEN = dict.fromkeys(("open", "input", "print"), _forbidden)


class _Modules:
    """The modules of an image, each run when it is first imported."""

    def __init__(self, image: Image, files: Files, forgotten: Forgotten) -> None:
        self._forgotten = forgotten
        self._files = {name: files.get((name, source), _FILE.format(name)) for name, source in image.modules.items()}
        self._loaded: dict[str, ModuleType] = {}
        self._builtins = {**vars(builtins), "__import__": self._import, **_FORBIDDEN}
        self._code: dict[str, CodeType] = {}
        for name, source in image.modules.items():
            try:
                self._code[name] = compile(source, self._files[name], "exec", dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
                raise ImageError(f"Kernel {image.name} does not compile: {error}") from None

    def file(self, name: str) -> str:
        """Where a module comes from."""
        return self._files[name]

    def place(self, error: BaseException) -> str:
        """The file and the line of the image in which an exception was raised last; the main module if in none."""
        places = [f"{self._files[name]}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)
                  if (name := self._name_of(frame)) is not None]
        return places[-1] if places else next(iter(self._files.values()))

    def _name_of(self, frame: FrameType) -> str | None:
        """The module of the image that runs there; what a module says of itself is not asked."""
        return next((name for name, module in self._loaded.items() if module.__dict__ is frame.f_globals), None)

    def module(self, name: str) -> ModuleType:
        """A module of the image."""
        if name not in self._loaded:
            self._loaded[name] = module = ModuleType(f"{_PREFIX}{name}")
            module.__dict__["__builtins__"] = self._builtins
            exec(self._code[name], module.__dict__)
        return self._loaded[name]

    def _import(
        self, name: str, namespace: Mapping[str, object] | None = None, _locals: Mapping[str, object] | None = None,
        names: Sequence[str] | None = (), level: int = 0,
    ) -> Any:
        """``import`` as kernels have it."""
        if name == "warnings" and names is not None and not names:
            # No statement asks in this way, but Python does, with the builtins of whoever drops a coroutine that was
            # not awaited. It then takes the module from where it keeps all of them: a kernel that asks gets nothing.
            self._drops(sys._getframe(1))
            return None
        if not level and names and name in self._code:
            module = self.module(name)
            for part in names:
                if f"{name}.{part}" in self._code:
                    setattr(module, part, self.module(f"{name}.{part}"))
            return module
        if level or not any(name == allowed or name.startswith(allowed + ".") for allowed in ALLOWED_IMPORTS):
            may = _INSTEAD.get(name) or (f"it may import {', '.join(ALLOWED_IMPORTS)}, and modules of its image by "
                                         "their full names, with from")
            raise RefusedError(f"A kernel may not import {name!r}; {may}")
        return builtins.__import__(name, namespace, None, names or (), level)

    def _drops(self, frame: FrameType) -> None:
        if (name := self._name_of(frame)) is not None:
            self._forgotten.note(name, frame.f_lineno)
