"""What reports say of khhw's measurements: a module each, named as in :mod:`khhw.machine.measurements`."""
