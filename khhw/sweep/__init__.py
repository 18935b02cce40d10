"""Sweeps: grids of points of synthetic traffic, measured on many cores or machines, continued where they were."""
