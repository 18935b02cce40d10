"""What happened in a run, packet by packet, from its waves."""

__all__ = ["KINDS"]

KINDS = ("put", "message", "get", "console", "control", "ethernet")
"""Kinds of packets: direct puts, memory-FIFO packets, remote gets; then the protocols of the tree."""
