"""Measure memcached on a machine over value sizes, clients, software costs and load, and write a report.

FILE is a machine file; its section [memcached] names the server, the clients and what is varied (docs/memcached.md).
The phases of the file are not run. The folder gets what `khhw run` writes.
"""

import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw memcached``."""
    from khhw.commands.run import add_run_arguments

    add_run_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run the study; 0 if it ended well."""
    from khhw.commands.run import run_machine
    from khhw.machine.study import study_of

    return run_machine(arguments, command="memcached", prepare=study_of)
