"""What stands at the top of every file that is generated for others: what it is, of which khhw, and its licence."""

import textwrap

from khhw._version import __version__
from rtl.parameters import Parameters

__all__ = ["LICENCE", "banner"]

LICENCE = "Apache-2.0"
"""Of khhw, and of what it generates; an identifier of the SPDX licence list."""


def banner(mark: str, what: str, parameters: Parameters, *more: str) -> str:
    """Lines of comment, without a newline at the end.

    Parameters
    ----------
    mark : str
        What begins a comment: ``//``, ``#`` or ``/*``.
    what : str
        What the file holds.
    parameters : Parameters
        What it was generated for.
    *more : str
        Further lines.
    """
    values = " ".join(f"{name}={int(value) if isinstance(value, bool) else value}"
                      for name, value in parameters.as_dict().items())
    lines = [f"khhw {__version__}: {what}. Generated from khhw's RTL: do not edit.",
             f"SPDX-License-Identifier: {LICENCE}",
             *textwrap.wrap(f"Parameters: {values}", 100), *more]
    if mark == "/*":
        return "/* " + "\n * ".join(lines) + "\n */"
    return "\n".join(f"{mark} {line}" for line in lines)
