"""Two runs of the same experiment on different hardware, one over the other."""
