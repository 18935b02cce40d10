"""``khhw sweep`` with the network of :mod:`tests.sweep.fake` as what measures: run as a program."""

import functools
import sys

from khhw.cli import main
from khhw.sweep import run
from tests.sweep.fake import FAKE

if __name__ == "__main__":
    run.Sweep = functools.partial(run.Sweep, backend=FAKE)
    sys.exit(main(["sweep", *sys.argv[1:]]))
