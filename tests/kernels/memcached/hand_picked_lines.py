"""Hand-picked sequences about lines: how long they may be, and those of a web page."""

from collections.abc import Callable, Iterator

from tests.kernels.memcached.steps import Steps

__all__ = ["HTTP_ENDS", "HTTP_IS_NOTHING", "long_lines", "web_pages"]

HTTP_ENDS = (
    b"GET / HTTP/1.1", b"POST /set HTTP/1.1", b"OPTIONS * HTTP/1.0", b"PUT /a b HTTP/1.1", b"PRI * HTTP/2.0",
    b"HTTP/1.1", b"foo HTTP/", b"  GET  /  HTTP/1.1  ", b"GET / HTTP/1.1\r", b"misbehave HTTP/1.1", b"mmm HTTP/1.1",
    b"xx " * 22 + b"HTTP/1.1", b"xx " * 22 + b"HTTP/1.1 and more", b"GET / HTTP/1.1\0 nothing",
    b"POST /" + b"x" * 10_000 + b" HTTP/1.1",
)
"""Lines that end a connection."""
HTTP_IS_NOTHING = (
    b"foo HTTP/1.1 bar", b"foo http/1.1", b"GET /\tHTTP/1.1", b"get / HTTP/1.1", b"set / HTTP/1.1",
    b"set a b c d HTTP/1.1", b"delete / HTTP/1.1", b"touch / HTTP/1.1", b"incr / HTTP/1.1", b"version HTTP/1.1",
    b"stats HTTP/1.1", b"flush_all HTTP/1.1", b"verbosity HTTP/1.1", b"x HTTP/1.1", b"geta HTTP/1.1", b"sets HTTP/1.1",
    b"adds HTTP/1.1", b"incrs HTTP/1.1", b"deletes HTTP/1.1", b"touches HTTP/1.1", b"cass HTTP/1.1", b"mm HTTP/1.1",
    b"lru HTTP/1.1", b"lru_crawler HTTP/1.1", b"watch a HTTP/1.1", b"extstore a b HTTP/1.1",
    b"xx " * 23 + b"HTTP/1.1", b"xx " * 23 + b"HTTP/1.1 and more",
)
"""Lines with HTTP in them that do not."""


def _keys(count: int) -> bytes:
    return b" ".join(b"key%d" % number for number in range(count))


def web_pages(one: Callable[..., Steps]) -> Iterator[Steps]:
    """What a web page can have a browser send."""
    for index, line in enumerate(HTTP_ENDS):
        yield one(f"http_ends_{index}", line + b"\r\n", closes=True)
    for index, line in enumerate(HTTP_IS_NOTHING):
        yield one(f"http_is_nothing_{index}", line + b"\r\n")
    yield one(
        "posted", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\nset a 0 0 1\r\nx\r\n", closes=True)


def long_lines(one: Callable[..., Steps], x: bytes) -> Iterator[Steps]:
    """Lines up to the longest, and longer ones."""
    for length in (2048, 2049, 3000, 16_382):
        yield one(f"line_of_{length}", b"x" * length + b"\r\n")
    yield one("line_of_16384_without_end", b"x" * 16_384, closes=True)
    yield one("many_keys_of_a_command_without_many", b"gat 0 " + _keys(10_000)[:16_378], closes=True)
    yield one("long_key_set", b"set " + b"k" * 3000 + b" 0 0 1\r\nx\r\n")
    yield one("gat_of_500_keys", x, b"gat 0 " + _keys(500) + b" a\r\n")
    for verb in (b"get", b"gets"):
        yield one(f"{verb.decode()}_of_10000_keys", x, verb + b" " + _keys(10_000) + b" a\r\n")
    yield one("get_of_a_key_of_100000_bytes", b"get " + b"k" * 100_000 + b"\r\n")
    yield one("get_of_100000_spaces", b"get " + b" " * 100_000 + b"\r\n", x, b"get a" + b" " * 100_000 + b"\r\n")
    yield one("get_behind_100_spaces", x, b" " * 100 + b"get a " + _keys(10_000) + b"\r\n")
    yield one("get_behind_101_spaces", x, b" " * 101 + b"get a " + _keys(500) + b"\r\n")
