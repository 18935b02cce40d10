"""memcached: the server, and what its clients share with it."""
