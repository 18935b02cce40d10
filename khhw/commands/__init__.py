"""Subcommands of ``khhw``, one module each."""
