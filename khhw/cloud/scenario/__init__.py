"""Scenarios: what happens in a cloud, written down so that it can be played again, cycle by cycle."""
