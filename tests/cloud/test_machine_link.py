"""A service that does not read what nodes say: it misses some of it, and is told how much."""

from khhw.cloud.frames import HEADER_BYTES, frame_lengths, parsed
from khhw.cloud.simulator_link import Connection

WORDS = {"boot": 1, "cycle": 2, "rank": 3, "channel": 4}


class Writer:
    """An asyncio stream whose reader takes what it wants."""

    def __init__(self):
        self.written = bytearray()
        self.unread = 0
        self.transport = self

    def is_closing(self):
        return False

    def write(self, data):
        self.written += data

    def get_write_buffer_size(self):
        return self.unread


def frames(data):
    while data:
        text, rest = frame_lengths(bytes(data[:HEADER_BYTES]))
        body, data = data[HEADER_BYTES:HEADER_BYTES + text + rest], data[HEADER_BYTES + text + rest:]
        yield parsed(bytes(body[:text]), bytes(body[text:]))


def test_what_a_slow_service_misses_is_counted_channel_by_channel_and_answers_are_not_lost():
    writer = Writer()
    connection = Connection(writer)
    connection.hear(4, WORDS, b"before")
    writer.unread = 5 << 20
    for _ in range(3):
        connection.hear(4, WORDS, b"lost")
    connection.hear(5, {**WORDS, "channel": 5}, b"lost too")
    connection.send(next(frames(writer.written)))
    writer.unread = 0
    for channel in (4, 5, 4):
        connection.hear(channel, {**WORDS, "channel": channel}, b"after")
    heard = [(frame.values["heard"]["channel"], frame.values["heard"]["missed"], frame.data)
             for frame in frames(writer.written)]
    assert heard == [(4, 0, b"before"), (4, 0, b"before"), (4, 3, b"after"), (5, 1, b"after"), (4, 0, b"after")]
