"""``khhw serve``: sockets on localhost for clients of a running machine, and for the consoles of its nodes."""
