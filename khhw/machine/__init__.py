"""Machines: reading and checking machine files, running them, results."""
