"""The collective network: routing, broadcast, console and owner endpoint."""
