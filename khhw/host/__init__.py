"""The base of host code on any hardware: scheduler, processor models, the ports of nodes and of the outside."""
