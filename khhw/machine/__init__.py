"""Machines: what a machine file says, and running it."""
