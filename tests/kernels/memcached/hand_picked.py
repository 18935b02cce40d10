"""Hand-picked sequences of memcached commands, with every error the protocol knows."""

import random
from collections.abc import Callable, Iterator

from tests.kernels.memcached.hand_picked_lines import long_lines, web_pages
from tests.kernels.memcached.steps import Steps

__all__ = ["K250", "K251", "hand_picked", "set_command"]

K250, K251 = b"k" * 250, b"k" * 251
ITEM_LIMIT = 1 << 20


def _lines(*commands: bytes) -> bytes:
    return b"".join(command + b"\r\n" for command in commands)


def set_command(
    key: bytes, value: bytes, *, flags: bytes = b"0", exptime: bytes = b"0", verb: bytes = b"set", more: bytes = b""
) -> bytes:
    return b"%b %b %b %b %d%b\r\n%b\r\n" % (verb, key, flags, exptime, len(value), more, value)


def hand_picked() -> Iterator[Steps]:
    """All of them."""

    def one(name: str, *sends: bytes, closes: bool = False) -> Steps:
        return Steps(name, sends, closes)

    x = set_command(b"a", b"x")
    for index, line in enumerate(
        (b"", b" ", b"x", b"xx", b"GET a", b"get\ta", b"Set a 0 0 1", b"VERSION", b"misbehave", b"bogus one two")
    ):
        yield one(f"unknown_{index}", _lines(line))
    yield one("newline_alone", b"\n")
    yield one("bare_newlines", b"set a 0 0 1\nx\r\nget a\n")
    for index, line in enumerate(
        (
            b"get",
            b"get ",
            b"gets",
            b"gat",
            b"gats",
            b"set",
            b"set a 0 0",
            b"set a 0",
            b"add a",
            b"replace a 0 0",
            b"append a",
            b"prepend",
            b"cas a 0 0 1",
            b"incr",
            b"incr a",
            b"decr a",
            b"delete",
            b"touch",
            b"touch a",
            b"verbosity",
            b"incr a 1 2 3",
            b"touch a 1 2 3",
            b"flush_all 1 2 3",
            b"delete a b c d",
            b"verbosity 0 0 0",
        )
    ):
        yield one(f"word_count_{index}", _lines(line))
    yield one("too_many_words", set_command(b"a", b"x", more=b" noreply extra"))
    yield one("cas_too_many_words", _lines(b"cas a 0 0 1 1 1 1", b"y"))
    for verb in (b"get", b"gets", b"delete"):
        yield one(f"key_250_{verb.decode()}", _lines(b"%b %b" % (verb, K250)))
        yield one(f"key_251_{verb.decode()}", _lines(b"%b %b" % (verb, K251)))
    yield one("key_250_set", set_command(K250, b"v"), _lines(b"get " + K250))
    for verb in (b"set", b"add", b"replace", b"append", b"prepend"):
        yield one(f"key_251_{verb.decode()}", set_command(K251, b"v", verb=verb), _lines(b"get a"))
    yield one("key_251_noreply", b"set %b 0 0 1 noreply\r\n" % K251)
    yield one("key_251_cas", _lines(b"cas %b 0 0 1 1" % K251, b"y"))
    yield one(
        "key_251_others",
        _lines(*(verb + b" " + K251 + b" 1" for verb in (b"incr", b"decr", b"touch"))),
        _lines(b"gat 0 " + K251),
    )
    yield one(
        "key_251_others_noreply",
        _lines(
            *(verb + b" " + K251 + b" 1 noreply" for verb in (b"incr", b"decr", b"touch")), b"delete %b noreply" % K251
        ),
    )
    yield one("key_251_after_hit", x, _lines(b"get a " + K251), _lines(b"get " + K251 + b" a"))
    yield one("key_251_after_30", _lines(b"get " + b" ".join(b"k%d" % i for i in range(30)) + b" " + K251))
    yield one(
        "odd_keys",
        set_command(b"\x01\xff\xc3\xa4", b"v"),
        _lines(b"get \x01\xff\xc3\xa4"),
        _lines(b"get a\tb", b"get a\rb", b"get a\r"),
    )
    yield one("nul_ends_a_line", x, b"get a\0b\r\n", b"get a b\0c\r\n")
    yield one("spaces", b"set  a  0  0  1 \r\nx\r\n", _lines(b"  get a", b"get  a", b"get a  ", b" get   a   a "))
    for index, words in enumerate(
        (
            b"b 0 1",
            b"0 b 1",
            b"0 0 b",
            b"0 0 -1",
            b"-1 0 1",
            b"1x 0 1",
            b"0 1x 1",
            b"0 0 1x",
            b"- 0 1",
            b"+ 0 1",
            b"0 99999999999 1",
            b"0 -99999999999 1",
            b"0 0 99999999999999999999",
            b"0 0 2147483646",
            b"0 0 2147483648",
            b"99999999999999999999 0 1",
            b"-99999999999999999999 0 1",
            b"0x1 0 1",
            b"1.0 0 1",
        )
    ):
        yield one(f"bad_number_{index}", x, b"set a %b\r\ny\r\n" % words, _lines(b"get a"))
        yield one(f"bad_number_noreply_{index}", x, b"set a %b noreply\r\ny\r\n" % words, _lines(b"get a"))
    for index, words in enumerate(
        (
            b"4294967295 0 1",
            b"4294967296 0 1",
            b"18446744073709551615 0 1",
            b"+1 0 +1",
            b"01 00 01",
            b"65536 0 1",
            b"1 0 1 foo",
            b"1 0 1 NOREPLY",
        )
    ):
        yield one(f"good_number_{index}", b"set a %b\r\nx\r\n" % words, _lines(b"get a", b"gets a"))
    for index, data in enumerate((b"xy", b"xyz", b"xyzabcde", b"x\n", b"x\r", b"x\rget a", b"\r\nx")):
        for verb in (b"set", b"add", b"append"):
            yield one(f"bad_block_{verb.decode()}_{index}", x, b"%b a 0 0 1\r\n%b\r\n" % (verb, data), _lines(b"get a"))
    yield one("bad_block_noreply", x, b"set a 0 0 1 noreply\r\nyyy\r\n", _lines(b"get a"))
    yield one("short_block", b"set a 0 0 5\r\nx\r\nabcd\r\n", _lines(b"get a"))
    yield one("short_block_swallows_a_command", b"set a 0 0 20\r\nx\r\nget a\r\nget b\r\nxxx\r\n", _lines(b"get a"))
    yield one(
        "empty_value",
        set_command(b"a", b""),
        _lines(b"get a", b"gets a"),
        set_command(b"a", b"x", verb=b"append"),
        _lines(b"get a"),
    )
    yield one("value_of_line_ends", set_command(b"a", b"\r\nEND\r\n"), _lines(b"get a"))
    yield one("binary_value", set_command(b"a", bytes(range(256))), _lines(b"get a"))
    for size in (1, 7, 8, 9, 63, 64, 239, 240, 241, 1000, 4096, 65536):
        yield one(f"size_{size}", set_command(b"a", random.Random(size).randbytes(size)), _lines(b"get a"))
    yield one(
        "verbs",
        set_command(b"a", b"x", verb=b"add"),
        set_command(b"a", b"y", verb=b"add"),
        set_command(b"b", b"y", verb=b"replace"),
        set_command(b"a", b"z", verb=b"replace"),
        _lines(b"get a b"),
    )
    yield one(
        "append_prepend",
        set_command(b"a", b"1", verb=b"append"),
        set_command(b"a", b"1", verb=b"prepend"),
        set_command(b"a", b"x", flags=b"5"),
        set_command(b"a", b"y", flags=b"9", verb=b"append"),
        set_command(b"a", b"z", flags=b"7", verb=b"prepend"),
        _lines(b"get a"),
    )
    yield one(
        "noreply",
        *(
            set_command(b"a", b"5", verb=verb, more=b" noreply")
            for verb in (b"add", b"set", b"replace", b"append", b"prepend")
        ),
        _lines(b"incr a 1 noreply", b"decr a 2 noreply", b"touch a 0 noreply", b"get a", b"delete a noreply", b"get a"),
        _lines(
            b"verbosity 1 noreply",
            b"flush_all noreply",
            b"flush_all 0 noreply",
            b"incr a 1 noreply",
            b"delete a noreply",
        ),
    )
    yield one("key_named_noreply", _lines(b"get noreply", b"gets noreply", b"delete noreply", b"touch noreply 1"))
    yield one(
        "multiget",
        set_command(b"a", b"1"),
        set_command(b"b", b"22", flags=b"3"),
        _lines(b"get a b c", b"get c b a", b"get a a", b"gets c"),
    )
    yield one("long_multiget", x, _lines(b"get a " + b" ".join(b"k%d" % i for i in range(1000)) + b" a"))
    yield one("delete", x, _lines(b"delete a", b"delete a", b"delete a 0", b"get a"))
    for index, words in enumerate((b"0", b"1", b"noreply", b"0 noreply", b"0 1", b"1 noreply", b"noreply 0", b"5 5")):
        yield one(f"delete_words_{index}", x, _lines(b"delete a " + words), _lines(b"get a"))
    yield from _counting(one)
    yield from _expiring(one, x)
    yield one(
        "cas",
        x,
        _lines(b"gets a"),
        b"cas a 0 0 1 {cas:a}\r\ny\r\n",
        b"cas a 0 0 1 {cas:a}\r\nz\r\n",
        _lines(b"gets a"),
        b"cas a 7 0 2 {cas:a}\r\nzz\r\n",
        _lines(b"gets a", b"gats 0 a"),
    )
    yield one(
        "cas_errors",
        x,
        b"cas a 0 0 1 0\r\ny\r\n",
        b"cas b 0 0 1 5\r\ny\r\n",
        b"cas a 0 0 1 x\r\ny\r\n",
        b"cas a 0 0 1 -1\r\ny\r\n",
        b"cas a 0 0 1 99999999999999999999\r\ny\r\n",
        _lines(b"get a"),
    )
    yield one(
        "cas_noreply",
        x,
        b"cas a 0 0 1 0 noreply\r\ny\r\n",
        _lines(b"gets a"),
        b"cas a 0 0 1 {cas:a} noreply\r\ny\r\n",
        _lines(b"get a"),
    )
    yield one(
        "cas_after_incr", set_command(b"a", b"1"), _lines(b"gets a", b"incr a 1", b"gets a", b"touch a 0", b"gets a")
    )
    yield one(
        "cas_after_replace",
        x,
        _lines(b"gets a"),
        set_command(b"a", b"y"),
        b"cas a 0 0 1 {cas:a}\r\nz\r\n",
        _lines(b"get a"),
    )
    yield one("flush", x, _lines(b"flush_all", b"get a"), x, _lines(b"flush_all 0", b"get a"), x, _lines(b"get a"))
    yield one(
        "flush_words",
        _lines(b"flush_all x", b"flush_all 1x noreply", b"flush_all 1000", b"flush_all 1000 x", b"flush_all"),
    )
    yield one("verbosity", _lines(b"verbosity 1", b"verbosity 0", b"verbosity 1"))
    yield one("shutdown_is_off", _lines(b"shutdown"))
    yield one("bget", x, _lines(b"bget a"))
    yield one(
        "stats_words",
        _lines(
            b"stats x",
            b"stats a b",
            b"stats noreply",
            b"stats reset",
            b"stats sizes",
            b"stats detail",
            b"stats cachedump",
        ),
    )
    yield one("too_large", x, set_command(b"a", b"y" * ITEM_LIMIT), _lines(b"get a"))
    yield one("too_large_add", x, set_command(b"a", b"y" * ITEM_LIMIT, verb=b"add"), _lines(b"get a"))
    yield one("too_large_noreply", x, set_command(b"a", b"y" * ITEM_LIMIT, more=b" noreply"), _lines(b"get a"))
    yield one(
        "too_large_append",
        set_command(b"a", b"y" * 600_000),
        set_command(b"a", b"y" * 600_000, verb=b"append"),
        _lines(b"delete a"),
    )
    yield one("largest", set_command(b"a", b"y" * (ITEM_LIMIT - 60)), _lines(b"delete a"))
    yield one("one_over_largest", set_command(b"a", b"y" * (ITEM_LIMIT - 59)), _lines(b"delete a"))
    yield one(
        "largest_with_flags",
        set_command(b"a", b"y" * (ITEM_LIMIT - 64), flags=b"1"),
        set_command(b"a", b"y" * (ITEM_LIMIT - 63), flags=b"1"),
    )
    yield one("quit", x, _lines(b"quit", b"get a"), closes=True)
    yield one("quit_with_words", _lines(b"quit now"), closes=True)
    yield one("long_line", _lines(b"x" * 2000), _lines(b"get " + b"x" * 1000))
    yield from long_lines(one, x)
    yield from web_pages(one)
    yield one("line_without_end", b"x" * 2049, closes=True)
    yield one("long_get_with_too_many_spaces", b" " * 101 + b"get " + b"x" * 3000, closes=True)


def _counting(one: Callable[..., Steps]) -> Iterator[Steps]:
    """incr and decr."""
    for index, value in enumerate(
        (
            b"0",
            b"10",
            b"99",
            b"18446744073709551615",
            b"18446744073709551616",
            b"-5",
            b"-18446744073709551615",
            b"-0",
            b" 12",
            b"12 ",
            b"12 ab",
            b"12ab",
            b"",
            b"abc",
            b"+7",
            b"007",
            b"0" * 28 + b"15",
            b"1.5",
            b"\t9",
            b"9\t",
            b"9\n",
            b"0x10",
            b"1" * 21,
        )
    ):
        yield one(
            f"count_{index}",
            set_command(b"n", value, flags=b"7"),
            *(
                command + b"\r\n"
                for command in (
                    b"incr n 1",
                    b"get n",
                    b"incr n 90",
                    b"get n",
                    b"decr n 3",
                    b"get n",
                    b"decr n 18446744073709551615",
                    b"get n",
                )
            ),
        )
    for index, delta in enumerate(
        (
            b"0",
            b"+3",
            b"-1",
            b"x",
            b"3abc",
            b"0x3",
            b"18446744073709551615",
            b"18446744073709551616",
            b"1 foo",
            b"-18446744073709551615",
            b"1.5",
            b"noreply",
            b"007",
        )
    ):
        yield one(
            f"delta_{index}",
            set_command(b"n", b"5"),
            _lines(b"incr n " + delta),
            _lines(b"get n"),
            _lines(b"decr n " + delta),
            _lines(b"get n"),
            _lines(b"incr n %b noreply" % delta),
            _lines(b"get n"),
        )
    yield one("count_nothing", _lines(b"incr n 1", b"decr n 1", b"incr n x"))


def _expiring(one: Callable[..., Steps], x: bytes) -> Iterator[Steps]:
    """Expiry times that have come, or are far away."""
    for index, exptime in enumerate(
        (b"-1", b"-1000", b"2592001", b"1000000000", b"2592000", b"100", b"4000000000", b"2147483647", b"+100")
    ):
        yield one(
            f"exptime_{index}", set_command(b"a", b"x", exptime=exptime), _lines(b"get a", b"touch a 100", b"delete a")
        )
        yield one(f"touch_{index}", x, _lines(b"touch a " + exptime, b"get a", b"touch a " + exptime))
        yield one(f"gat_{index}", x, _lines(b"gat %b a" % exptime, b"get a", b"gats %b a b" % exptime))
    yield one(
        "touch_errors", _lines(b"touch a 1", b"touch a x", b"touch a 1x", b"touch a"), x, _lines(b"touch a x", b"get a")
    )
    yield one("gat_errors", x, _lines(b"gat x a", b"gat 1", b"gat 1x a", b"gats 1 b", b"gat 0 " + K251))
    yield one(
        "expired_can_be_added",
        set_command(b"a", b"x", exptime=b"-1"),
        set_command(b"a", b"y", verb=b"replace"),
        set_command(b"a", b"y", verb=b"add"),
        _lines(b"get a"),
    )
    yield one(
        "count_keeps_expiry",
        set_command(b"a", b"9", exptime=b"100"),
        _lines(b"incr a 1", b"get a", b"touch a -1", b"incr a 1"),
    )
