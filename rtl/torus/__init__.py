"""The torus: routing, buffers, switch and router."""
