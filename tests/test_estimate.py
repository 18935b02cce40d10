"""How long jobs still take, told by simulated clocks; and what is kept of the jobs of a machine."""

import itertools
import json
import math
import random

import pytest

from khhw.build import history
from khhw.build.progress import Begun
from khhw.estimate import Left, Remaining, Span, in_words
from khhw.report.progress import BuildProgress, RunProgress, build_in_words

STEPS = 40


class Clock:
    """Seconds that pass when the test says so."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KHHW_BUILD", str(tmp_path))
    return tmp_path


def told(seed, scatter, known=None):
    """A job of unequal steps: what is left after each in truth, and what is told."""
    choose, clock = random.Random(seed), Clock()
    work = [choose.lognormvariate(0, 0.8) for _ in range(STEPS)]
    seconds = [amount * choose.lognormvariate(0, scatter) for amount in work]
    remaining = Remaining(known, clock)
    for number, (amount, took) in enumerate(zip(work, seconds, strict=True), 1):
        clock.now += took
        remaining.step(took, amount)
        yield number, sum(seconds[number:]), remaining.look(sum(work[number:])), clock.now


def middle(left):
    return math.sqrt(max(left.low, 1e-9) * left.high)


@pytest.mark.parametrize(("scatter", "factor", "inside"), [(0.1, 1.3, 0.8), (0.3, 2, 0.8), (0.6, 3.5, 0.7)])
def test_after_the_first_steps_an_estimate_is_within_a_factor(scatter, factor, inside):
    """Steps are 2.2 times as large or small as others (one deviation), and take e to the scatter times as long."""
    every = [(real, left) for seed in range(100) for number, real, left, _ in told(seed, scatter) if 5 <= number <= 32]
    found = [(real, left) for real, left in every if left is not None]
    assert len(found) > 0.97 * len(every), "one large step among few small ones says nothing"
    wrong = [max(middle(left) / real, real / middle(left)) for real, left in found]
    assert max(wrong) < factor
    assert sum(left.low <= real <= left.high for real, left in found) / len(found) > inside


@pytest.mark.parametrize("scatter", [0.1, 0.3, 0.6])
def test_an_end_is_told_later_only_with_a_reason_and_seldom(scatter):
    later = 0
    for seed in range(100):
        ends = [(left, now) for _, real, left, now in told(seed, scatter) if left and real]
        for (before, then), (after, now) in itertools.pairwise(ends):
            rest = before.high - (now - then)
            if after.high > rest + 1e-6:
                later += 1
                assert after.reason == "steps take longer than those before" or in_words(
                    before.low - (now - then), rest) == in_words(after.low, after.high)
    assert later / 100 < 1


def test_nothing_is_said_of_a_job_nobody_knows_until_it_has_shown_itself():
    found = [left for _, _, left, _ in told(1, 0.3)]
    assert found[0] is None
    assert None not in found[4:]


def test_a_job_that_is_known_is_told_from_its_beginning_and_soon_by_its_own_pace():
    clock = Clock()
    remaining = Remaining(Span(0.8, 1.2), clock)
    assert remaining.look(100.0) == Left(pytest.approx(80, rel=0.03), pytest.approx(120, rel=0.03))
    for done in range(1, 11):
        # This time the machine is four times as slow.
        clock.now += 4
        left = remaining.advance(done, 100 - done)
    assert 0.8 * 360 < left.low < 360 < left.high < 1.3 * 360
    assert left.reason
    assert "more than said before: " in str(left)


def test_a_step_that_does_not_end_is_never_almost_done_for_ever_without_a_word():
    clock = Clock()
    remaining = Remaining(Span(9, 11), clock)
    said = []
    for _ in range(40):
        clock.now += 1
        said.append(remaining.advance(0.0, 1.0, "it is slower than before"))
    assert all(left.high > 0 for left in said)
    assert not said[5].reason and said[-1].reason == "it is slower than before"


def test_a_reason_stands_beside_longer_words_only():
    clock = Clock()
    remaining = Remaining(Span(0.9, 1.1), clock)
    said = [str(remaining.look(1.0))]
    for work in (*[1.0] * 20, 8.0, 7.0, 5.0, 1.0):
        clock.now += 0.5
        said.append(str(remaining.look(work, reason="there is more to do")))
    assert set(said[:21]) == {"a second or two left"}
    assert said[21] == "a few seconds left (more than said before: there is more to do)"
    assert said[-1] == "a second or two left"


def test_a_step_that_is_very_late_is_not_told_to_end_in_a_moment():
    clock = Clock()
    remaining = Remaining(Span(90, 110), clock)
    clock.now += 99
    remaining.advance(0.99, 0.01)
    for late in (5, 60):
        clock.now += late
        left = remaining.advance(0.99, 0.01, "it is slower than before")
    # The last hundredth should have taken a second, and has taken 65.
    assert left.low < 65 < left.high
    assert left.reason


@pytest.mark.parametrize(("low", "high", "words"), [
    (0, 1, "a second or two"), (1, 8, "a few seconds"), (38, 41, "about 40 s"), (30, 62, "30 to 60 s"),
    (50, 130, "50 s to 2 min"), (115, 250, "2 to 4 min"), (5000, 12000, "83 min to 3 h 20 min"),
    (7200, 14400, "2 to 4 h"),
])
def test_words(low, high, words):
    assert in_words(low, high) == words


def test_a_machine_knows_what_it_has_done_and_not_what_others_have(monkeypatch):
    assert history.known("build-a", 100) is None
    history.note("build-a", 20, 100)
    history.note("build-a", 30, 100)
    history.note("build-b", 500, 100)
    found = history.known("build-a", 200)
    assert (found.low, found.high) == (20 * 2 / 1.25, 30 * 2 * 1.25)
    assert history.known("build-a", 1000) is None, "ten times as large says nothing"
    monkeypatch.setattr(history, "this_machine", lambda: "another processor, 64 cores")
    assert history.known("build-a", 100) is None


def test_a_damaged_record_is_none(folder):
    history.note("build-a", 20, 100)
    (file,) = (folder / history.FOLDER).glob("*.json")
    file.write_text('[{"machine": "x", "seconds": null}]')
    assert history.known("build-a", 100) is None
    history.note("build-a", 20, 100)
    assert history.known("build-a", 100) is not None


@pytest.mark.parametrize("job", [
    '{"seconds": 0.0}', '{"seconds": Infinity}', '{"seconds": 1' + 400 * "0" + '}', '{"size": NaN}', '{"size": 0}',
    '{"steps": [[-1, 5]]}', '{"steps": [[NaN, 5]]}', 100_000 * "[",
])
def test_jobs_that_cannot_have_been_are_not_counted(folder, job):
    history.note("run-x", 20, steps=[(20, 5)])
    (file,) = (folder / history.FOLDER).glob("*.json")
    whole = json.dumps({"machine": history.this_machine(), "seconds": 20.0, "size": 1.0, "steps": [[20, 5]]})
    file.write_text(f"[{whole[:-1]}, {job[1:]}]" if job[0] == "{" else job)
    assert history.known("run-x") is None
    progress = RunProgress("run-x")
    progress.begin()
    assert progress.look(1) is None


def test_a_build_is_followed_by_what_is_compiled(folder):
    clock = Clock()
    begun = Begun(folder / "x", "build-x", 1000.0)
    assert "nobody knows" in build_in_words(begun)
    begun.note(100)
    assert build_in_words(begun) == "building the RTL: 80 s to 2 min, as builds of about this size took here"
    (folder / "x").mkdir()
    progress = BuildProgress(begun, clock)
    assert progress.look().low == pytest.approx(80, rel=0.01)
    names = [f"Vtop__{number}" for number in range(8)]
    for name in names:
        (folder / "x" / f"{name}.cpp").write_bytes(bytes(200_000))
    (folder / "x" / "Vtop.mk").touch()
    for number, name in enumerate(names):
        clock.now += 30 if number == 0 else 10
        (folder / "x" / f"{name}.o").touch()
        left = progress.look()
        assert progress.share == pytest.approx(0.1 + 0.9 * (1.5 + 0.2 * (number + 1)) / 3.1)
    assert left == Left(0.0, 0.0)


def test_a_run_is_told_by_the_phases_of_the_last_one():
    clock = Clock()
    first = RunProgress("run-x", clock)
    first.begin()
    assert first.look(5) is None, "nobody knows how long it takes"
    for seconds, cycle in ((10, 1000), (100, 2000), (20, 90_000)):
        clock.now += seconds
        first.phase(cycle)
    clock.now += 10
    first.ended(100_000)

    again = RunProgress("run-x", clock)
    again.begin()
    assert again.look(0).low < 140 < again.look(0).high
    real = 140.0
    for seconds, cycle in ((10, 1000), (50, 1500), (50, 2000), (10, 46_000)):
        clock.now += seconds
        real -= seconds
        if cycle in (1000, 2000):
            again.phase(cycle)
        left = again.look(cycle)
        assert left.low <= real <= left.high and not left.reason
    assert again.share == pytest.approx(120 / 140, abs=0.01)
