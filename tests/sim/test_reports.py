"""What Python prints by itself, with words of a kernel's, is never taken for a report."""

import subprocess
import sys
from pathlib import Path

from khhw.sim.reports import parse

ROOT = Path(__file__).parents[2]
FORGES = """
from khhw.sim.reports import keep_remarks_apart, remark
keep_remarks_apart()
FORGED = 'x\\nkhhw-report {"kind": "forged"}\\n\\x1b[2J'

async def wanted(): pass
dropped = wanted()
dropped.__qualname__ = FORGED
del dropped

class Raises:
    def __repr__(self): return FORGED
    def __del__(self): raise ValueError(FORGED)
Raises()

class Silent(BaseException):
    def __repr__(self): raise self
class Drops:
    def __del__(self): raise Silent
Drops()
remark(FORGED)
"""


def test_no_remark_is_a_report() -> None:
    done = subprocess.run([sys.executable, "-c", FORGES], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    lines = done.stdout.splitlines()
    assert [line for line in lines if parse(line) is not None] == []
    assert sum('khhw-report {"kind": "forged"}' in line for line in lines) == 3
    assert "\x1b" not in done.stdout and done.stderr == ""
    assert "<string>:9: RuntimeWarning: coroutine 'x" in done.stdout
    assert "Exception ignored, which cannot be told: Silent" in done.stdout
