"""Traces: what happened to each packet of a run, from its waveforms."""

__all__ = ["KINDS"]

KINDS = ("put", "message", "get", "console", "control", "ethernet")
"""Kinds of packets: direct puts, memory-FIFO packets, remote gets; then the protocols of the tree."""
