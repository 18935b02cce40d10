"""What ``stats`` says."""

from collections import Counter
from collections.abc import Callable

from khhw.kernels.memcached.answers import VERSION, Reply, say
from khhw.kernels.memcached.store import Store

__all__ = ["Statistics"]

_COUNTED = (
    "cmd_get", "cmd_set", "cmd_flush", "cmd_touch", "get_hits", "get_misses", "delete_misses", "delete_hits",
    "incr_misses", "incr_hits", "decr_misses", "decr_hits", "cas_misses", "cas_hits", "cas_badval", "touch_hits",
    "touch_misses", "store_too_large", "store_no_memory",
)
_CONNECTIONS = ("curr_connections", "total_connections")
_REMOTE = ("khhw_index", "khhw_set", "khhw_set_lost", "khhw_set_refused")
"""Addresses told; values that came by put, that did not come, and that found no window."""


class Statistics(Counter[str]):
    """Counts of the server by the names ``stats`` gives them.

    Parameters
    ----------
    store : Store
    more : callable
        Further lines of ``stats``: names and values.
    """

    def __init__(self, store: Store, more: Callable[[], dict[str, int]] = dict) -> None:
        super().__init__()
        self._store = store
        self._more = more

    def answer(self, words: list[bytes]) -> Reply:
        """The answer to ``stats`` and its arguments."""
        match words[1:2]:
            case []:
                return _lines(self._general())
            case [b"reset"]:
                for name in _COUNTED:
                    self[name] = 0
                return say(b"RESET")
            case [b"settings"]:
                store = self._store
                return _lines({"maxbytes": store.length, "evictions": "on", "cas_enabled": "yes",
                               "item_size_max": store.item_max})
            case [b"items" | b"slabs"]:
                return _lines({})
            case [b"sizes"]:
                return _lines({"sizes_status": "disabled"})
            case [b"detail"]:
                return say(b"CLIENT_ERROR usage: stats detail on|off|dump")
            case [b"cachedump"]:
                return say(b"CLIENT_ERROR bad command line")
        return say(b"ERROR")

    def _general(self) -> dict[str, int | str]:
        store = self._store
        return {
            "pid": 1, "uptime": store.clock.seconds, "time": store.clock.epoch + store.clock.seconds,
            "version": VERSION.decode(), "pointer_size": 64,
            **{name: self[name] for name in (*_CONNECTIONS, *_COUNTED)},
            "limit_maxbytes": store.length, "threads": 1, "bytes": store.used, "curr_items": len(store),
            "total_items": store.total, "evictions": store.evictions, "reclaimed": store.expired,
            **{name: self[name] for name in _REMOTE}, **self._more(),
        }


def _lines(values: dict[str, int | str]) -> Reply:
    text = "".join(f"STAT {name} {value}\r\n" for name, value in values.items())
    return Reply([text.encode() + b"END\r\n"])
