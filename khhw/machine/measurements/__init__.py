"""What a phase can measure: a module each, found by the module's name.

A measurement is one :class:`~khhw.machine.measurements.measurement.Measurement`, here called ``MEASUREMENT``, and what
the report says of it, one class that is named and not imported: simulators draw nothing.
"""

__all__ = ["NAMES"]

NAMES = ("matrix", "attacks", "latency", "memcached", "console")
"""khhw's own, in the order of the report."""
