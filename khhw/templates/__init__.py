"""What ``khhw new`` copies: working files that call everything "skeleton"."""
