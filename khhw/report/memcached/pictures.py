"""All pictures of memcached, each only when what it shows was measured."""

from khhw.machine.results import Results
from khhw.report.memcached.clients import client_pictures
from khhw.report.memcached.cost import cost_picture
from khhw.report.memcached.halves import halves
from khhw.report.memcached.offered import offered_picture
from khhw.report.memcached.parts import parts_pictures
from khhw.report.memcached.quantiles import quantile_picture
from khhw.report.memcached.size import size_pictures
from khhw.report.picture import Picture

__all__ = ["memcached_pictures"]


def memcached_pictures(results: Results) -> list[Picture]:
    """The pictures, in the order a reader wants them; measurements taken beside different programs side by side."""
    found, clock = halves(results), results.clock_hz
    drawn = [*size_pictures(found, clock), *parts_pictures(found, clock), quantile_picture(found, clock),
             *client_pictures(found, clock), offered_picture(found, clock), cost_picture(found, clock)]
    return [picture for picture in drawn if picture is not None]
