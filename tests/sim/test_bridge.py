"""The cocotb back end on a very small machine: cycle numbers, determinism, and how runs end."""

import os
import signal
import threading
from pathlib import Path

import pytest

from khhw.build.design import convert
from khhw.build.simulator import Simulation
from khhw.sim.options import Options
from khhw.sim.process import Request, run

HERE = Path(__file__).parent
NODES, WORDS = 2, 64


@pytest.fixture(scope="module")
def build():
    return Simulation(design=convert("standin:StandIn", path=[HERE])).build()


@pytest.fixture
def go(build, tmp_path):
    def go(name, on_report=None, arguments=None, **options):
        request = Request(entry=f"programs:{name}", arguments=arguments or {}, nodes=NODES, memory_bytes=WORDS * 32,
                          options=Options(**options))
        return run(build, request, tmp_path, path=[HERE], on_report=on_report)

    return go


def test_operations_take_the_cycles_of_the_rule(go):
    done = go("phases")
    assert done.state == "finished", done.message
    assert done.results["notes"] == [
        [0, "start"],
        [2, "time register", 0],  # shown and taken in cycle 0, answered in 1
        [4, "written"],
        [10, "interrupt"],  # taken in 2, copied five cycles later, up from cycle 9 on
        [11, "interrupt again"],  # a level: it is still up
        [1_000_013, "time register", 1_000_011],
    ]
    assert done.outcome["statistics"]["skipped_cycles"] > 999_000


def test_the_trace_is_the_same_again_and_without_jumps(go):
    arguments = {"seed": 3, "rounds": 25}
    runs = [go("mixed", arguments=arguments, jump=jump) for jump in (True, True, False)]
    for done in runs:
        assert done.state == "finished", done.message
    first, again, slow = runs
    assert first.results == again.results == slow.results
    assert first.outcome["cycles"] == slow.outcome["cycles"]
    assert first.outcome["statistics"]["jumps"] > 10
    assert slow.outcome["statistics"]["jumps"] == 0
    assert len(first.results["trace"]) > 500


def test_python_sleeps_while_nothing_happens(go):
    done = go("speed", arguments={"kind": "nothing", "count": 300_000, "nodes": 1})
    assert done.outcome["statistics"]["simulated_cycles"] > 300_000
    assert done.outcome["statistics"]["wakes"] < 1000


def test_waiting_for_what_cannot_come_ends_the_run(go):
    done = go("hopeless", arguments={"delay": 50})
    assert (done.state, done.message) == ("quiet", "all tasks wait, and the machine is idle")
    assert done.outcome["waiting"] == ["waiter of node 0 waits for the interrupt"]
    assert done.outcome["stuck"] == ["quiescent is 0b11", "irq is 0b1"]


def test_a_busy_machine_that_says_nothing_is_stuck_at_the_same_cycle_each_time(go):
    runs = [go("hopeless", arguments={"delay": 10**9}, stall_cycles=3000) for _ in range(2)]
    assert [done.state for done in runs] == ["stuck", "stuck"]
    assert runs[0].outcome["cycles"] == runs[1].outcome["cycles"] < 10_000
    assert runs[0].outcome["stuck"] == ["quiescent is 0b10", "irq is 0b0"]


@pytest.mark.parametrize("jump", [True, False])
def test_a_limit_of_cycles_is_kept(go, jump):
    done = go("phases", max_cycles=5000, jump=jump)
    assert (done.state, done.outcome["cycles"]) == ("budget", 5000)


def test_a_failing_task_is_named(go):
    done = go("failing")
    assert done.state == "failed"
    sentence, *traceback = done.message.splitlines()
    assert sentence == "task 'victim' of node 1 failed in cycle 7: ValueError: on purpose"
    assert traceback[1].lstrip().startswith('File "') and "programs.py" in traceback[1]


def test_an_entry_that_does_not_exist_is_reported(go):
    done = go("no_such_program")
    assert done.state == "crashed"
    assert "no_such_program" in done.message


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_results(go, number):
    reports = []

    def on_report(values):
        reports.append(values)
        if len(reports) == 3:
            os.kill(os.getpid(), number)

    done = go("endless", on_report=on_report, progress_seconds=0.05)
    assert (done.state, done.message) == ("interrupted", "stopped by SIGINT")
    assert done.results["notes"], "what was done before is lost"
    assert [values["kind"] for values in reports[:3]] == ["begun", "progress", "progress"]
    assert reports[1]["cycles"] < reports[2]["cycles"]


@pytest.mark.rare
def test_results_that_take_long_are_waited_for(go):
    def on_report(values):
        if values["kind"] == "begun":
            os.kill(os.getpid(), signal.SIGINT)

    done = go("endless", on_report=on_report, arguments={"thorough": True})
    assert (done.state, done.message) == ("interrupted", "stopped by SIGINT")


SECOND = 53_125_000
"""Cycles."""


def knocks(done):
    assert done.state == "finished", done.message
    heard = [note for note in done.results["notes"] if note[1] == "knock"]
    assert [note[2] for note in heard] == list(range(len(heard)))
    return heard, next(note for note in done.results["notes"] if note[1] == "gone")


@pytest.mark.parametrize("timer", [0, 60 * SECOND])
def test_an_idle_machine_wakes_at_once_for_the_outside_and_sleeps_till_then(go, timer):
    heard, (cycle, _, wall, cpu) = knocks(go("outside", arguments={
        "count": 10, "pause": 0.1, "busy": False, "timer": timer}))
    assert len(heard) == 10
    assert sorted(note[3] for note in heard)[5] < 0.02, "seconds from a knock until it was heard"
    assert cpu < wall / 4, "it waits busily"
    assert 0.9 * wall * SECOND < cycle < 1.1 * wall * SECOND, "time does not pass as on the wall"


def test_a_timer_goes_off_when_it_is_due_on_the_wall(go):
    done = go("outside", arguments={"count": 2, "pause": 0.4, "busy": False, "timer": SECOND // 2})
    heard, (_, _, wall, _) = knocks(done)
    assert [note[:2] for note in done.results["notes"] if note[1] == "timer"] == [[SECOND // 2, "timer"]]
    assert heard[0][0] < SECOND // 2 < heard[1][0]
    assert 0.7 < wall < 2


def test_a_busy_machine_hears_the_outside_soon(go):
    heard, (cycle, *_) = knocks(go("outside", stall_cycles=10**9, arguments={
        "count": 7, "pause": 0.2, "busy": True, "timer": 0}))
    assert sorted(note[3] for note in heard)[3] < 0.03, "it runs by itself for a tenth of a second, and looks seldom"
    assert cycle < 7 * SECOND, "a busy machine must not jump"


def test_a_machine_that_waits_for_the_outside_says_so_once_and_can_be_stopped(go):
    reports = []

    def on_report(values):
        reports.append(values)
        if len(reports) == 1:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    done = go("outside", on_report=on_report, progress_seconds=0.05, arguments={
        "count": 1, "pause": 3600, "busy": False, "timer": 0})
    assert (done.state, done.message) == ("interrupted", "stopped by SIGINT")
    # On a busy machine it may be so late that there was progress to tell of before; ten times without the silence.
    assert [values["waited"] for values in reports] in ([0], [0, 0])


def test_runs_in_a_thread_work_too(go):
    states = []
    thread = threading.Thread(target=lambda: states.append(go("failing").state))
    thread.start()
    thread.join()
    assert states == ["failed"]
