"""Make the image of a kernel, as loaders run it.

KERNEL is a file of yours, which ends in .py, a folder with a main.py, which ends in /, or the name of a kernel that
comes with khhw, as in a machine file (docs/kernels.md). khhw ctl image approve lets an image boot on a cloud, and
khhw console write copies it into nodes.
"""

import argparse
import json
from pathlib import Path

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw image``."""
    parser.add_argument("kernel", metavar="KERNEL", help="a file, a folder, or a kernel that comes with khhw")
    parser.add_argument("-o", dest="file", metavar="FILE", type=Path,
                        help="image to write (KERNEL.image in this folder); one that is there is replaced")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Write the image, and say its SHA-256."""
    from khhw.commands.output import report
    from khhw.errors import RequestError
    from khhw.kernels.approval import image_digest
    from khhw.kernels.image import Image, ImageError, build_image
    from khhw.machine.lookup import find_kernel

    try:
        image = build_image(find_kernel(arguments.kernel, Path()))
    except (ImageError, LookupError) as error:
        raise RequestError(str(error)) from None
    name, digest = Image.parse(image).name, image_digest(image)
    file = arguments.file or Path(f"{name}.image")
    _write(file, image)
    results = {"file": str(file), "kernel": name, "bytes": len(image), "sha256": digest}
    if arguments.json:
        print(json.dumps(report(results), indent=1))
    else:
        print(f"{file}: {len(image):,} bytes, SHA-256 {digest}")
    return 0


def _write(file: Path, image: bytes) -> None:
    """An image in place of an earlier one; a slip of the pen replaces nothing else.

    Raises
    ------
    RequestError
        If it cannot be written there.
    """
    from khhw.errors import RequestError

    try:
        if file.exists() and image[:4] != _beginning(file):
            raise RequestError(f"{file} is there already and no image; name another file with -o")
        file.write_bytes(image)
    except OSError as error:
        raise RequestError(f"{file}: cannot write the image: {error.strerror}; name another file with -o") from None


def _beginning(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(4)
