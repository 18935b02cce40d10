"""All pictures of memcached, each only when what it shows was measured."""

from khhw.machine.results import Results
from khhw.report.memcached.clients import client_pictures
from khhw.report.memcached.cost import cost_picture
from khhw.report.memcached.offered import offered_picture
from khhw.report.memcached.parts import parts_pictures
from khhw.report.memcached.quantiles import quantile_picture
from khhw.report.memcached.size import size_pictures
from khhw.report.memcached.sweep import measured
from khhw.report.picture import Picture

__all__ = ["memcached_pictures"]


def memcached_pictures(results: Results) -> list[Picture]:
    """The pictures, in the order a reader wants them."""
    points, clock = measured(results.results.memcached), results.clock_hz
    found = [*size_pictures(points, clock), *parts_pictures(points, clock), quantile_picture(points, clock),
             *client_pictures(points, clock), offered_picture(points, clock), cost_picture(points, clock)]
    return [picture for picture in found if picture is not None]
