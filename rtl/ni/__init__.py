"""The network interface: injection, reception, counters, remote get, host port."""
