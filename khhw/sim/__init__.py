"""Simulation of a machine: the back ends (cocotb, native engine), and the process they run in."""
