"""Clients of memcached that put load on it, and measure."""
