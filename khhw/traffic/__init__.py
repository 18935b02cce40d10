"""Synthetic traffic on the native engine: the unit of load, and the measurement of one point."""
