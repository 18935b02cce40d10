"""Sweeps: grids of points of synthetic traffic, measured on many cores or computers; one that was stopped can go on."""
