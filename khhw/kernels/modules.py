"""The modules a kernel consists of: its file or the main module of its folder, and what they import of kernels."""

import ast
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MAIN", "KernelModuleError", "Source", "kernel_modules"]

Source = tuple[Path, bytes]
"""A file, and what is in it."""

MAIN = "main"
"""Module of a folder that holds the entry."""

_HERE = Path(__file__).parent
_OURS = "khhw.kernels"


class KernelModuleError(ValueError):
    """A kernel whose modules cannot be collected."""


def kernel_modules(kernel: Path) -> dict[str, Source]:
    """Files of a kernel by the names its code imports them with, the one with the entry first.

    A file is one module. Of a folder it is ``main.py`` and what that imports, directly or not. Both may import
    modules of the folders in ``khhw.kernels``; those are collected too.

    Parameters
    ----------
    kernel : Path
        A Python file, or a folder with a ``main.py``.

    Raises
    ------
    KernelModuleError
        If a file cannot be read or does not compile; names it, and the line.
    """
    roots = {f"{_OURS}.{folder.name}": folder for folder in _HERE.iterdir() if (folder / "__init__.py").is_file()}
    files = {kernel.stem: kernel}
    if kernel.is_dir():
        package = f"{_OURS}.{kernel.name}" if kernel.parent.resolve() == _HERE else kernel.name
        roots[package], files = kernel, {f"{package}.{MAIN}": kernel / f"{MAIN}.py"}
    modules: dict[str, Source] = {}
    while files:
        name, file = files.popitem()
        try:
            modules[name] = file, file.read_bytes()
        except OSError as error:
            raise KernelModuleError(f"Kernel {file} cannot be read: {error.strerror or error}") from None
        for imported in _imported(kernel.stem, *modules[name]):
            if imported not in modules and (found := _file_of(imported, roots)) is not None:
                files[imported] = found
    return modules


def _imported(kernel: str, file: Path, source: bytes) -> Iterator[str]:
    """Names of all modules that code may mean, and of the packages they are in."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise KernelModuleError(f"Kernel {kernel} does not compile: {file}:{error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise KernelModuleError(f"Kernel {kernel} does not compile: {file}: {error}") from None
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            parts = node.module.split(".")
            yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(module: str, roots: dict[str, Path]) -> Path | None:
    """File of a module of a kernel's folder; None for all others."""
    for package, folder in roots.items():
        if module == package or module.startswith(f"{package}."):
            place = folder.joinpath(*module[len(package):].split(".")[1:])
            return next((file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()), None)
    return None
