"""What runs on a compute node: the loader that every node starts with, and kernels that travel as images."""
