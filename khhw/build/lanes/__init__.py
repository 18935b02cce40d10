"""From a node's Verilog to code that evaluates 512 nodes side by side, one bit of each in a vector register."""
