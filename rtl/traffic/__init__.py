"""The traffic generator and checker of a node."""
