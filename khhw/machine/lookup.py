"""Finding what a machine file names: classes of parts, kernels, measurements."""

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from khhw.machine import measurements
from khhw.machine.measurements.measurement import Measurement
from khhw.tracebacks import own_traceback, with_traceback
from rtl.node import check_part
from rtl.parameters import Parameters

__all__ = ["find_class", "find_kernel", "find_measurement", "wrong_part"]

_KERNELS = "khhw.kernels"


def find_class(path: str, folder: Path) -> type:
    """The class ``"module:Class"`` names.

    Parameters
    ----------
    path : str
        Module and class.
    folder : Path
        Where modules are looked for beside the Python path; its parent counts too.

    Raises
    ------
    LookupError
        If there is no such module or class; says which.
    """
    found = _find(path, folder, "class", "Class")
    if not isinstance(found, type):
        raise LookupError(_none_in(path, "class"))
    return found


def wrong_part(part: str, path: str, folder: Path, nodes: Iterable[Parameters]) -> str | None:
    """Why a class cannot be a part of nodes with these parameters; None if it can.

    Parameters
    ----------
    part : str
        ``router``, ``guard``, ``ni`` or ``memory``.
    path : str
        ``"module:Class"``.
    folder : Path
        See :func:`find_class`.
    nodes : iterable of Parameters
        None where they are not known: then only what no node could be made of is found.
    """
    try:
        found = find_class(path, folder)
        for parameters in nodes if issubclass(found, wiring.Component) else [Parameters()]:
            check_part(part, found, parameters)
    except Exception as error:
        # A part is anybody's code, and may raise anything; what khhw itself refuses is a sentence already.
        if type(error) in (LookupError, TypeError) and not own_traceback(error):
            return str(error)
        return with_traceback(f"{path} cannot be made: {type(error).__name__}: {error}", error)
    return None


def find_measurement(name: str, folder: Path) -> Measurement[Any]:
    """The measurement a phase names.

    Parameters
    ----------
    name : str
        One of khhw's, or ``"module:NAME"`` of one's own.
    folder : Path
        Where modules are looked for beside the Python path, as :func:`find_class` does.

    Raises
    ------
    LookupError
        If there is none; says where it was looked for.
    """
    if name in measurements.NAMES:
        name = f"{measurements.__name__}.{name}:MEASUREMENT"
    elif ":" not in name:
        raise LookupError(f"no measurement {name!r}; khhw's are {', '.join(measurements.NAMES)}, and one of your own "
                          "is named \"module:NAME\"")
    found = _find(name, folder, "measurement", "NAME")
    if not isinstance(found, Measurement):
        raise LookupError(_none_in(name, "measurement"))
    return found


def _find(path: str, folder: Path, kind: str, form: str) -> object:
    """What ``"module:name"`` names; None if the module has no such name."""
    module_name, colon, name = path.partition(":")
    if not colon or not module_name or not name:
        raise LookupError(f"{path!r} does not name a {kind}; write \"module:{form}\"")
    for base in (folder.resolve(), folder.resolve().parent):
        if str(base) not in sys.path:
            sys.path.append(str(base))
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise LookupError(with_traceback(f"no module {module_name!r} for {path!r} ({error})", error)) from None
    return getattr(module, name, None)


def _none_in(path: str, kind: str) -> str:
    module_name, _, name = path.partition(":")
    return f"module {module_name!r} has no {kind} {name!r}"


def find_kernel(name: str, folder: Path) -> Path:
    """The file or folder with the code of a kernel.

    Parameters
    ----------
    name : str
        A kernel of khhw, or a path relative to `folder`: of a file, ending in ``.py``, or of a folder with a
        ``main.py``, ending in ``/``.
    folder : Path
        Folder of the machine file.

    Raises
    ------
    LookupError
        If there is none; says where it was looked for.
    """
    if name.endswith(".py"):
        if (file := folder / name).is_file():
            return file
        raise LookupError(f"no kernel file {file}")
    if name.endswith("/"):
        if (folder / name / "main.py").is_file():
            return folder / name
        raise LookupError(f"no kernel file {folder / name / 'main.py'}")
    spec = importlib.util.find_spec(f"{_KERNELS}.{name}") if name.isidentifier() else None
    if spec is None or spec.origin is None:
        raise LookupError(f"no kernel {name!r} in {_KERNELS}; a file of your own is named with its .py, "
                          "a folder with a / at its end")
    return file.parent if (file := Path(spec.origin)).name == "__init__.py" else file
