"""Commands and answers of the text protocol in the bytes of streams."""

from khhw.trace.conversation import answers, commands

SENT = b"set a 0 0 5\r\nget x\r\nget a b\r\nset c 0 0 1 noreply\r\nz\r\ngats 9 c\r\nrindex a\r\nversion\r\nquit\r\n"
CAME = (b"STORED\r\n" b"VALUE a 0 5\r\nEND\r\n\r\nVALUE b 0 2\r\n\r\n\r\nEND\r\n" b"VALUE c 0 1 7\r\nz\r\nEND\r\n"
        b"INDEX a 8 64\r\nEND\r\n" b"VERSION 1\r\n")


def test_commands_with_their_data() -> None:
    found = list(commands(SENT))
    assert [command.words[0] for command in found] == [b"set", b"get", b"set", b"gats", b"rindex", b"version", b"quit"]
    assert found[0].end == SENT.index(b"get a b")
    assert [command.keys for command in found if command.reads] == [(b"a", b"b"), (b"c",)]
    assert [command.silent for command in found] == [False, False, True, False, False, False, True]


def test_a_command_that_is_not_whole_is_left_out() -> None:
    assert [command.words[1] for command in commands(b"get a\r\nset b 0 0 9\r\nonly")] == [b"a"]
    assert list(commands(b"get a")) == []


def test_answers_with_values_that_look_like_ends() -> None:
    found = answers(CAME, list(commands(SENT)))
    assert [CAME[slice(*span)] if span else None for span in found] == [
        b"STORED\r\n", CAME[8:CAME.index(b"VALUE c")], None, b"VALUE c 0 1 7\r\nz\r\nEND\r\n",
        b"INDEX a 8 64\r\nEND\r\n", b"VERSION 1\r\n", None]


def test_an_answer_that_is_not_whole_ends_the_matter() -> None:
    asked = list(commands(b"get a\r\nget b\r\n"))
    assert answers(b"VALUE a 0 9\r\n12", asked) == [None, None]
    assert answers(b"END\r\nVALUE b 0 1\r\nx\r\n", asked) == [(0, 5), None]


def test_a_reserved_slot_is_answered_twice() -> None:
    asked = list(commands(b"rset k 0 0 64\r\nrset k 0 0 64\r\nget k\r\n"))
    came = b"SLOT 0011\r\nSTORED 0 64\r\nSERVER_ERROR no window\r\nEND\r\n"
    assert [came[slice(*span)] for span in answers(came, asked) if span] == [
        b"SLOT 0011\r\nSTORED 0 64\r\n", b"SERVER_ERROR no window\r\n", b"END\r\n"]


def test_errors_answer_a_get() -> None:
    asked = list(commands(b"get\r\nget k\r\n"))
    assert answers(b"ERROR\r\nEND\r\n", asked) == [(0, 7), (7, 12)]
