"""What is written for others: Verilog packages, headers, reference pages, and what a design takes of an FPGA."""
