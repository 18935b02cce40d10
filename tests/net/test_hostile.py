"""What others send may be anything: it is refused and counted, and nobody else notices."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from khhw.net import tcp_send
from khhw.net.errors import SegmentError
from khhw.net.incoming import Incoming, Reader
from khhw.net.segments import PREFIX, PUSH, Kind, Segment, segment_descriptor, template, unwrap
from khhw.node import Area, Memory, descriptor, header
from rtl.formats import Descriptor, FifoHeader, Header, pack, unpack
from tests.net.pair import Nets

PORT = 7


def record(function, argument, offset, payload, source=3):
    chunks = -(-(16 + len(payload)) // 32)
    head = pack(Header, source=source, size=chunks - 1).to_bytes(8, "big")
    software = pack(FifoHeader, put_offset=offset, argument=argument, function=function).to_bytes(8, "big")
    return (head + software + payload).ljust(32 * chunks, b"\0")


@given(st.sampled_from(list(Kind)), st.booleans(), st.integers(0, 1023), st.integers(0, (1 << 32) - 1),
       st.binary(min_size=1, max_size=224))
def test_what_is_packed_is_what_is_parsed(kind, push, connection, sequence, data):
    if kind not in (Kind.DATA, Kind.DATA_ACK):
        data = b""
    prefix = b"" if kind == Kind.DATA else PREFIX.pack(1, 2, 3, 4)
    packed = segment_descriptor(
        template((1, 0, 0), 1), kind | PUSH * push, connection, sequence + len(data), sequence, 64, len(prefix + data))
    fields = unpack(Descriptor, int.from_bytes(packed, "big"))
    software = unpack(FifoHeader, fields["software"])
    assert (fields["base_offset"], fields["length"]) == (64, len(prefix + data))
    segment = Segment.parse(record(
        software["function"], software["argument"], software["put_offset"], prefix + data, source=77))
    numbers = (0, 0, 0, 0) if kind == Kind.DATA else (1, 2, 3, 4)
    assert segment[:4] == (77, kind, push, connection)
    assert segment[5:] == (sequence, *numbers, data, True)


@given(st.integers(1, 8), st.binary(min_size=256, max_size=256), st.sampled_from([*Kind, 0, 200]))
def test_any_packet_is_parsed_or_refused(chunks, noise, kind):
    data = noise[:15] + bytes([kind]) + noise[16:32 * chunks]
    try:
        segment = Segment.parse(data)
    except SegmentError:
        return
    assert len(segment.payload) <= len(data) - 16
    assert 0 <= segment.connection < 1024


@pytest.mark.parametrize("packet", [
    record(0, 0, 0, bytes(16)), record(99, 0, 0, bytes(16)),
    record(Kind.DATA, 0, 0, bytes(16)), record(Kind.DATA, 200, 0, bytes(16)),
    record(Kind.DATA_ACK, 5000, 0, bytes(100)),
])
def test_what_is_no_segment(packet):
    with pytest.raises(SegmentError):
        Segment.parse(packet)


@given(st.integers(0, (1 << 32) - 1), st.integers(0, 1 << 40))
def test_unwrapping(number, near):
    wide = unwrap(number, near)
    assert (wide - number) % (1 << 32) == 0
    assert -(1 << 31) <= wide - near < 1 << 31


class Ram(Memory):
    def __init__(self, length=4096):
        self.data = bytearray(length)
        super().__init__(length, lambda at, n: bytes(self.data[at:at + n]), self.store)

    def store(self, at, data):
        self.data[at:at + len(data)] = data


@given(st.integers(0, 1 << 33))
def test_pieces_in_any_order_make_the_stream(first):
    """Whatever comes again, overlaps or is out of order; whoever reads how much at whatever time."""
    rng = random.Random(first)
    stream = rng.randbytes(rng.randrange(1, 3000))
    incoming = Incoming(Ram(), Area(1024, 512), first)
    got = b""
    while len(got) < len(stream):
        at = rng.randrange(max(0, len(got) - 50), min(len(stream), len(got) + 600) + 1)
        if rng.random() < 0.5:
            at = incoming.next - first
        if piece := stream[at:at + rng.randrange(240)]:
            incoming.take(first + at, piece)
        assert 0 <= incoming.window <= 512
        if rng.random() < 0.3:
            reader = Reader(1, rng.randrange(1, 700), None)
            incoming.attach(reader)
            if rng.random() < 0.5 and (piece := stream[incoming.next - first:][:100]):
                incoming.take(incoming.next, piece)
            assert reader.got <= reader.most
            incoming.detach()
            got += b"".join(reader.parts)
        assert stream.startswith(got)
    assert incoming.finish(first + len(stream))
    assert incoming.ended


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(-5000, 5000), st.binary(max_size=240)), max_size=40), st.integers(-100, 600))
def test_lies_do_no_harm(pieces, end):
    """Sequence numbers of all kinds: the halves of a connection stay within their buffer."""
    memory = Ram()
    incoming = Incoming(memory, Area(1024, 512), 1 << 32)
    for offset, payload in pieces:
        incoming.take((1 << 32) + offset, payload)
        incoming.finish((1 << 32) + end) if offset % 7 == 0 else None
        assert incoming.taken <= incoming.next <= incoming.taken + 513
        assert incoming.gap >= incoming.next
        assert 0 <= incoming.window <= 512
    assert memory.data[:1024] == bytes(1024)
    assert memory.data[1536:] == bytes(4096 - 1536)


def test_an_end_takes_no_room():
    """The end of a stream right behind a window that is full."""
    incoming = Incoming(Ram(), Area(1024, 512), 100)
    assert incoming.take(100, bytes(512))
    assert incoming.finish(612)
    assert (incoming.ended, incoming.window, incoming.available) == (True, 0, 512)


def test_nothing_comes_behind_the_end():
    memory = Ram()
    incoming = Incoming(memory, Area(1024, 512), 100)
    assert incoming.take(100, b"x" * 50)
    assert incoming.finish(150)
    for sequence in (140, 149, 150, 151, 152, 400):
        assert not incoming.take(sequence, b"y" * 100)
    assert incoming.take(120, b"y" * 30)
    assert (incoming.next, incoming.fetch(512)) == (151, b"x" * 50)
    assert b"y" not in memory.data


def test_one_peer_does_not_take_all_connections():
    """Node 2 asks for connections and confirms none; node 0 gets one all the same."""
    async def client(net):
        await net.node.sleep(20_000)
        connection = await net.connect(1, PORT)
        await tcp_send(connection, b"hello")
        await connection.close()

    async def server(net):
        connection = await (await net.listen(PORT)).accept()
        got = await connection.receive_exactly(5)
        peers = [one.peer for one in net.table.connections.values()]
        await connection.close()
        return got, peers.count(2)

    async def flood(net):
        await net.node.write("RECEPTION_SIZE", 0, net.ring)
        await net.node.sleep(2000)
        for number in range(40):
            await net.transmitter.control(1, Kind.SYN, 0, number, 1000 + number, window=4096, extra=PORT << 16 | number)
        await net.node.sleep(30_000)

    assert Nets(sizes=(2, 2, 1)).run(client, server, flood, connections=8)[1] == (b"hello", 2)


def test_noise_disturbs_no_stream():
    """Node 2 sends everything it can think of while node 0 and node 1 talk."""
    data = random.Random(3).randbytes(40_000)

    async def client(net):
        await net.node.sleep(3000)
        connection = await net.connect(1, PORT)
        await tcp_send(connection, data)
        got = await connection.receive_exactly(len(data))
        await connection.close()
        return got

    async def server(net):
        connection = await (await net.listen(PORT)).accept()
        got = await connection.receive_exactly(len(data))
        await tcp_send(connection, got[::-1])
        end = await connection.receive(1)
        await connection.close()
        return net.table.bad_segments + net.table.strays, end

    async def noise(net):
        rng, node = random.Random(5), net.node
        for number in range(1500):
            kind = rng.choice([*Kind, 0, 31, 200])
            connection, mark = rng.choice([0, 0, 1, rng.randrange(1024)]), rng.randrange(1 << 14)
            software = pack(
                FifoHeader, put_offset=rng.choice([0, rng.getrandbits(32)]), argument=connection << 14 | mark,
                function=kind)
            length = rng.choice([0, 8, 16, 40, 240])
            node.memory[net.heap.base] = rng.randbytes(length)
            head = header(node.shape.coordinate(rng.randrange(2)), ring=net.ring)
            await node.sender.post(descriptor(head, software, net.heap.base, length))
            if number % 100 == 0:
                await node.sleep(500)

    nets = Nets(sizes=(2, 2, 1))
    got, (refused, end), _ = nets.run(client, server, noise)
    assert (got, end) == (data[::-1], b"")
    assert refused > 20


def test_only_the_peer_is_heard():
    """Node 2 knows all numbers of a connection of node 1, and is not its peer."""
    shared = []

    async def client(net):
        await net.node.sleep(1000)
        connection = await net.connect(1, PORT)
        await tcp_send(connection, b"first")
        shared.append(connection.remote_number)
        got = await connection.receive_exactly(6)
        await tcp_send(connection, b"third")
        await connection.close()
        return got

    async def server(net):
        connection = await (await net.listen(PORT)).accept()
        got = await connection.receive_exactly(5)
        shared.append((connection.incoming, connection.outgoing))
        await net.node.sleep(10_000)
        await tcp_send(connection, b"second")
        got += await connection.receive_exactly(5)
        await connection.close()
        return got

    async def thief(net):
        while len(shared) < 2:
            await net.node.sleep(10)
        number, (incoming, outgoing) = shared
        for kind in (Kind.DATA_ACK, Kind.FIN, Kind.RESET, Kind.ACK):
            await net.transmitter.control(
                1, kind, number, incoming.next, incoming.next & 0xFFFFFFFF, acknowledgement=outgoing.next)
        net.node.memory[net.heap.base] = b"stolen!!"
        await net.transmitter.ring.room(1)
        net.transmitter.push(1, Kind.DATA, number, incoming.next + 8, incoming.next, net.heap.base, 8)
        await net.transmitter.ring.doorbell()
        await net.node.sleep(3000)
        return net.table.strays

    assert Nets(sizes=(2, 2, 1)).run(client, server, thief)[:2] == [b"second", b"firstthird"]


def test_the_peer_itself_may_lie():
    """Segments of the right peer with wrong numbers: counted, and the stream goes on."""
    async def client(net):
        await net.node.sleep(1000)
        connection = await net.connect(1, PORT)
        number, outgoing = connection.remote_number, connection.outgoing
        for sequence, acknowledgement in ((1 << 20, 0), (0, 1 << 20), (1 << 20, 1 << 20)):
            kinds = [Kind.ACK, Kind.FIN, Kind.PROBE, Kind.SYN_ACK, Kind.REFUSE] + [Kind.RESET] * bool(sequence)
            for kind in kinds:
                await net.transmitter.control(
                    1, kind, number, 77, (outgoing.next + sequence) & 0xFFFFFFFF,
                    acknowledgement=connection.incoming.next + acknowledgement)
        await net.transmitter.control(1, Kind.UNKNOWN, 0, connection.number, 12345)
        await tcp_send(connection, b"still here")
        await connection.close()

    async def server(net):
        connection = await (await net.listen(PORT)).accept()
        got = await connection.receive_exactly(10)
        await connection.close()
        return got, net.table.bad_segments

    got, bad = Nets().run(client, server)[1]
    assert got == b"still here"
    assert bad >= 10
