"""The outside of a running machine: sockets on localhost, consoles, the memcached node's stream."""
