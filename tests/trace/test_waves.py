"""Waves as values a cycle, and streams in them as packets."""

from pathlib import Path

import pytest

from khhw.cli import main
from khhw.errors import RequestError
from khhw.trace.flits import cable, stream, transfers
from khhw.trace.ports import members
from khhw.trace.waves import Waves, find_waves
from rtl.formats import Flit, pack
from rtl.parameters import Parameters
from rtl.signatures import guard_signature, memory_signature
from tests.trace.vcd import write_vcd

FIRST, BODY, LAST, BAD = (pack(Flit, data=data, **marks) for data, marks in (
    (0xA, {"first": 1}), (0xB, {}), (0xC, {"last": 1}), (0xD, {"last": 1, "bad": 1})))


def waves(folder: Path, cycles: list[int] | None = None, **signals: tuple[int, list[int]]) -> Waves:
    named = {name.replace("__at__", "."): values for name, values in signals.items()}
    steps = len(next(iter(signals.values()))[1])
    return Waves(write_vcd(folder / "dump.vcd", named, cycles or list(range(steps))))


def stream_of(folder: Path, valid: list[int], ready: list[int], payload: list[int]) -> Waves:
    return waves(folder, node_0__at__o__valid=(1, valid), node_0__at__o__ready=(1, ready),
                 node_0__at__o__payload=(Flit.size, payload))


class TestWaves:
    def test_values_by_cycle(self, tmp_path: Path) -> None:
        read = waves(tmp_path, level=(4, [3, 3, 5, 5, 0]))
        assert read.signal("level", 4).every(read.steps).tolist() == [3, 3, 5, 5, 0]
        assert [read.signal("level", 4).at(step) for step in range(5)] == [3, 3, 5, 5, 0]

    def test_skipped_time_has_no_steps(self, tmp_path: Path) -> None:
        read = waves(tmp_path, [0, 1, 500, 501], irq=(1, [0, 0, 1, 1]))
        assert (read.steps, read.cycles.tolist()) == (4, [0, 1, 500, 501])
        assert [read.step_of(cycle) for cycle in (1, 300, 500, 9999)] == [1, 1, 2, 3]

    def test_a_signal_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match=r"cannot find node_0\.irq of 1 bits, it is not in them; .* --waves"):
            waves(tmp_path, level=(4, [1, 2])).signal("node_0.irq", 1)

    def test_a_width_that_is_another_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match="cannot find level of 5 bits, it has 4 bits"):
            waves(tmp_path, level=(4, [1, 2])).signal("level", 5)


class TestFolders:
    def test_no_waves(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["trace", str(tmp_path)]) == 2
        assert f"run the machine again with khhw run FILE --waves -o {tmp_path}" in capsys.readouterr().err

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match="is no folder; khhw trace takes that of a run"):
            find_waves(tmp_path / "none")

    def test_no_results(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        waves(tmp_path, irq=(1, [0, 1]))
        assert main(["trace", str(tmp_path)]) == 2
        assert f"{tmp_path / 'results.json'}: cannot be read" in capsys.readouterr().err

    def test_no_waveform(self, tmp_path: Path) -> None:
        (tmp_path / "dump.fst").write_text("nothing like it")
        with pytest.raises(RequestError, match=r"dump\.fst cannot be read as waves"):
            Waves(find_waves(tmp_path))


class TestStreams:
    def test_only_handshakes_move(self, tmp_path: Path) -> None:
        read = stream_of(tmp_path, [0, 1, 1, 1, 1], [1, 0, 1, 1, 1], [0, FIRST, FIRST, BODY, BODY])
        ports = {"valid": 1, "ready": 1, "payload": Flit.size}
        steps, payloads = transfers(read, "node_0.o", ports)
        assert (steps.tolist(), payloads) == ([2, 3, 4], [FIRST, BODY, BODY])

    def test_packets_are_cut_at_first_and_last(self, tmp_path: Path) -> None:
        read = stream_of(tmp_path, [1, 1, 0, 1, 1, 1, 1], [1] * 7, [BODY, FIRST, 0, BODY, LAST, FIRST, BAD])
        one, two = stream(read, "node_0.o")
        assert (one.begin, one.end, one.flits, one.bad, one.whole) == (1, 4, (0xA, 0xB, 0xC), False, True)
        assert (two.begin, two.end, two.flits, two.bad, two.whole) == (5, 6, (0xA, 0xD), True, True)

    def test_a_packet_that_is_cut_is_not_whole(self, tmp_path: Path) -> None:
        read = stream_of(tmp_path, [1, 1, 1, 1], [1] * 4, [FIRST, BODY, FIRST, BODY])
        assert [(packet.begin, packet.end, packet.whole) for packet in stream(read, "node_0.o")] == [
            (0, 1, False), (2, 3, False)]

    def test_a_cable_has_channels_and_no_ready(self, tmp_path: Path) -> None:
        read = waves(tmp_path, node_0__at__tx__0__valid=(1, [1, 1, 1, 1]), node_0__at__tx__0__vc=(2, [2, 2, 3, 3]),
                     node_0__at__tx__0__flit=(Flit.size, [FIRST, LAST, FIRST, LAST]))
        assert [packet.channel for packet in cable(read, "node_0.tx__0")] == [2, 3]


def test_names_come_from_signatures() -> None:
    ports = members(guard_signature(Parameters(lanes=2)))
    assert ports["from_ni__1__payload"] == Flit.size
    assert ports["owner__address"] == 16
    assert members(memory_signature(Parameters(memory_bytes=65536)))["read__payload"] == 11
