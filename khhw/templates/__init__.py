"""Templates of ``khhw new``: working files that name everything "skeleton"."""
