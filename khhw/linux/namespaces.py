"""The namespaces of a machine, from outside: start the process that keeps them, and end it."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from khhw.errors import RequestError
from khhw.linux.kernel import TUN
from khhw.linux.plan import Plan

__all__ = ["Namespaces", "check_programs"]

_PACKAGES = {"ip": "iproute2", "mount": "mount", "nsenter": "util-linux", "unshare": "util-linux"}
"""Debian packages of the programs that are called."""
_PATIENCE_SECONDS = 5.0
_NOT_ALLOWED = (
    "this system does not let users make namespaces: run `sudo sysctl -w kernel.unprivileged_userns_clone=1` (on "
    "Ubuntu `sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`), or run this as root")


def check_programs() -> None:
    """See that namespaces and TAP interfaces can be made here.

    Raises
    ------
    RequestError
        If not; one line with the command that helps.
    """
    if missing := [name for name in _PACKAGES if shutil.which(name) is None]:
        packages = sorted({_PACKAGES[name] for name in missing})
        raise RequestError(f"no program {', '.join(missing)}; run `sudo apt install {' '.join(packages)}`")
    if not Path(TUN).exists():
        raise RequestError(f"there is no {TUN}, which makes network interfaces; run `sudo modprobe tun`")
    if not os.access(TUN, os.R_OK | os.W_OK):
        raise RequestError(f"{TUN} may not be opened; run `sudo chmod a+rw {TUN}`, or run this as root")


class Namespaces:
    """Network and host name of each node, in one tree of processes that ends as a whole; a context manager.

    A user who is not root gets a user namespace around all of them, in which the programs of nodes run as its root.

    Parameters
    ----------
    plan : Plan
    folder : Path
        Where the names of hosts are written, and the socket is that gives the interfaces away.

    Attributes
    ----------
    init : int
        Number of the first process in them; set when they are entered.
    nodes : dict of int to dict of str to int
        By rank, descriptors of that process for the namespaces ``net`` and ``uts``.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.init = 0
        self.nodes: dict[int, dict[str, int]] = {}
        self.socket = folder / "taps"
        self._plan = plan
        self._hosts = folder / "hosts"
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Namespaces":
        self._hosts.write_text(self._plan.hosts(), encoding="utf-8")
        self.socket.unlink(missing_ok=True)
        user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
        search = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
        self._process = subprocess.Popen(
            ["unshare", *user, "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
             sys.executable, "-m", "khhw.linux.init"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
            env={**os.environ, "PYTHONPATH": search}, start_new_session=True)
        try:
            self._set_up(self._process)
        except BaseException:
            self._end(self._process)
            raise
        return self

    def _set_up(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin is not None and process.stdout is not None
        asked = {"nodes": self._plan.as_dict(), "hosts": str(self._hosts), "socket": str(self.socket)}
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
        answer = self._answer(process.stdout.readline())
        self.nodes = {node.rank: one for node, one in zip(self._plan.nodes, answer["namespaces"], strict=True)}
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        self.init = int(children[0])

    def _answer(self, line: str) -> dict[str, Any]:
        """What the process says when all is set up."""
        assert self._process is not None and self._process.stderr is not None
        if not line:
            self._process.wait(_PATIENCE_SECONDS)
            said = self._process.stderr.read().strip()
            refused = "unshare" in said and ("not permitted" in said or "No space left" in said)
            raise RequestError(_NOT_ALLOWED if refused else f"the namespaces could not be set up: {said}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RequestError(f"the namespaces could not be set up: {answer['error']}")
        return answer

    def __exit__(self, *_exception: object) -> None:
        assert self._process is not None
        self._end(self._process)

    def _end(self, process: "subprocess.Popen[str]") -> None:
        """End the first process, and with it all others in the namespaces."""
        with suppress(BrokenPipeError):
            assert process.stdin is not None
            process.stdin.close()
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            # It kills its child, as it was told to.
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
        self.socket.unlink(missing_ok=True)
