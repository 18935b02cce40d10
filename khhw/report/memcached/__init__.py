"""What a run has to say about memcached over the four calls."""

from khhw.report.memcached.pictures import memcached_pictures
from khhw.report.memcached.summary import headline

__all__ = ["headline", "memcached_pictures"]
