"""cocotb's runners, with what they do not offer: no needless visibility, FST, a time limit, live output."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from cocotb_tools import config
from cocotb_tools.runner import SUPPORTED_RUNNERS, Icarus, Runner
from cocotb_tools.runner import Verilator as StockVerilator

from khhw.build.toolchain import Verilator
from khhw.debugger import Terminal
from khhw.errors import BuildError

__all__ = ["LeanVerilator", "TimedIcarus", "TimedRunner", "run_followed"]

MAKE_JOBS = 2

_PYTHON = {"PYTHONIOENCODING": "utf-8", "PYTHONFAULTHANDLER": "1"}
"""What Python in any process is told: to print where it is when it crashes, or is aborted."""
_REQUESTS = ((signal.SIGINT, 3), (signal.SIGINT, 3), (signal.SIGABRT, 2))
"""How a process is asked to end, with the seconds it has for that: in order, out of what does not let it, at once."""


class TimedRunner(Runner):
    """A runner whose commands end after a while and whose output can be followed.

    Members
    -------
    time_limit : float or None
        Seconds a command may take.
    on_line : callable or None
        Called with each line of output, its end stripped.
    on_stop : callable or None
        See :class:`khhw.debugger.Terminal`.
    waves_wanted : bool
        Instead of the runner's own idea, which a WAVES variable changes even where the build cannot write waves.
    """

    time_limit: float | None = None
    on_line: Callable[[str], None] | None = None
    on_stop: Callable[[bool], None] | None = None
    waves_wanted = False
    tool_environment: Mapping[str, str] = {}

    def _set_env_common(self) -> None:
        super()._set_env_common()
        self.env.update(self.tool_environment)
        self.waves = self.waves_wanted

    def _execute_cmds(self, cmds: Sequence[Sequence[str]], cwd: Any, stdout: TextIO | None = None) -> None:
        for command in cmds:
            self._run_one([str(word) for word in command], Path(cwd), stdout)

    def _run_one(self, command: list[str], cwd: Path, log: TextIO | None) -> None:
        run_followed(command, cwd, self.env, log, time_limit=self.time_limit, on_line=self.on_line,
                     on_stop=self.on_stop)


def run_followed(
    command: Sequence[str], cwd: Path, env: Mapping[str, str], log: TextIO | None, *,
    time_limit: float | None = None, on_line: Callable[[str], None] | None = None,
    on_stop: Callable[[bool], None] | None = None,
) -> None:
    """Run a command to its end, in a process group of its own that ends with it.

    Parameters
    ----------
    command : sequence of str
        And its arguments.
    cwd : Path
        Where.
    env : mapping
        All of its environment.
    log : file or None
        Gets what it prints.
    time_limit : float or None
        Seconds it may take; those in which it stands in Python's debugger do not count.
    on_line : callable or None
        Called with each line it prints, its end stripped.
    on_stop : callable or None
        Called when it stops in the debugger and when it goes on, see :class:`khhw.debugger.Terminal`.

    Raises
    ------
    BuildError
        If it fails or takes too long.
    """
    name = Path(command[0]).name
    watchdog = _Watchdog(time_limit)

    def stops(stopped: bool) -> None:
        watchdog.rest(stopped)
        if on_stop is not None:
            on_stop(stopped)

    with Terminal(stops) as terminal, subprocess.Popen(
        command, cwd=cwd, env={**env, **_PYTHON, **terminal.environment}, start_new_session=True,
        pass_fds=terminal.descriptors, encoding="utf-8", errors="replace",
        stdout=subprocess.PIPE if on_line else log or subprocess.DEVNULL, stderr=subprocess.STDOUT,
    ) as process, watchdog.of(process):
        try:
            for line in process.stdout or ():
                # A full disk ends no run: what it prints is lost then, and what it does goes on.
                with contextlib.suppress(OSError):
                    if log is not None:
                        log.write(line)
                if on_line is not None:
                    on_line(line.rstrip("\n"))
            code = process.wait()
        except BaseException:
            if _end(process) and process.stdout is not None and log is not None:
                with contextlib.suppress(OSError):
                    log.write(process.stdout.read())
            raise
    if watchdog.barked:
        raise BuildError(f"{name} took longer than {time_limit:g} s")
    if code:
        raise BuildError(f"{name} ended with code {code}")


class _Watchdog:
    """Ends a process, in a thread of its own, when it runs too long."""

    def __init__(self, seconds: float | None) -> None:
        self.barked = False
        self._left = seconds
        self._since = 0.0
        self._process: subprocess.Popen[str] | None = None
        self._timer: threading.Timer | None = None

    def _bark(self) -> None:
        self.barked = True
        if self._process is not None:
            _end(self._process)

    @contextlib.contextmanager
    def of(self, process: "subprocess.Popen[str]") -> Iterator[None]:
        """Watch a process."""
        self._process = process
        self.rest(False)
        try:
            yield
        finally:
            self.rest(True)

    def rest(self, resting: bool) -> None:
        """Stop counting, or go on; resting twice is resting."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._left = None, max(0.0, (self._left or 0.0) - (time.monotonic() - self._since))
        if not resting and self._left is not None:
            self._since = time.monotonic()
            self._timer = threading.Timer(self._left, self._bark)
            self._timer.start()


def _end(process: "subprocess.Popen[str]") -> bool:
    """End a command and all it started, giving it a moment to close its files; none after a second interrupt.

    Returns
    -------
    bool
        Whether it had to be killed: Python has then printed where it was, and nothing is left that could print more.
    """
    hurry = False
    for number, patience in _REQUESTS:
        if hurry and number == signal.SIGINT:
            continue
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except ProcessLookupError:
            return False
        except KeyboardInterrupt:
            hurry = True
            continue
        except subprocess.TimeoutExpired:
            continue
        if number != signal.SIGABRT:
            return False
        break
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


class LeanVerilator(TimedRunner, StockVerilator):
    """cocotb's Verilator runner without ``--public-flat-rw``: a control file says what is public.

    Measured by others at seven times the speed; the runner has no option for it.
    """

    verilator: Verilator
    make_variables: Sequence[str] = ()
    make_options: Sequence[str] = ()
    fst = False

    def _set_env_common(self) -> None:
        super()._set_env_common()
        # Before what the executable says: it may have been built with another environment's cocotb of this version.
        before = self.env.get("LD_LIBRARY_PATH")
        self.env["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, (str(config.libs_dir), before)))

    def _simulator_in_path_build_only(self) -> None:
        self.executable = str(self.verilator.executable)

    def _build_command(self) -> list[list[str]]:
        verilate, make = super()._build_command()
        verilate = [("--trace-fst" if word == "--trace" and self.fst else word) for word in verilate
                    if word != "--public-flat-rw"]
        make[make.index("-j") + 1] = str(MAKE_JOBS)
        return [verilate, [*make, *self.make_options, *self.verilator.make_variables(), *self.make_variables]]

    def _waves_file(self) -> str | None:
        return "dump.fst" if self.fst else "dump.vcd"


class TimedIcarus(TimedRunner, Icarus):
    """cocotb's Icarus Verilog runner, with a time limit."""


SUPPORTED_RUNNERS["khhw-verilator"] = LeanVerilator
