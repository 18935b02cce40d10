"""Programs of the nodes: the loader that every node starts with, and kernels, which travel as images."""
