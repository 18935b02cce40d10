"""Synthetic traffic on the scale engine: one measured point, its unit of load, and how it is measured."""
