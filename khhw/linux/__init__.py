"""Linux on the nodes of a machine: a network namespace a node, a TAP interface a network, frames through the RTL."""
