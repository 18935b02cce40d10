"""Benchmarks of khhw itself, behind ``khhw bench``; ``docs/bench.md`` says what each measures."""
