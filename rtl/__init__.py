"""The hardware of khhw: torus router, network interface, permission guards and tree, in Amaranth.

Nothing here imports the host side (`khhw`), and nothing here knows about simulation.
"""
