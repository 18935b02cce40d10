"""khhw built as a source distribution, a wheel of that, and installed in somebody else's project without a network."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from khhw._version import __version__
from khhw.build.cache import build_root

pytestmark = pytest.mark.rare  # A wheel, an environment and a build folder of its own.

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "tests" / "build" / "projects" / "running_sum"


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "KHHW_BUILD")}
    return subprocess.run([str(word) for word in command], cwd=cwd, env={**clean, **environment}, capture_output=True,
                          text=True, check=False)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """The source distribution of this checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    built = run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", folder, cwd=ROOT)
    assert built.returncode == 0, built.stderr
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture(scope="module")
def wheel(sdist, tmp_path_factory) -> Path:
    """The wheel that pip makes of the source distribution."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index", "-w", folder,
                sdist, cwd=folder)
    assert built.returncode == 0, built.stderr
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installation(wheel, tmp_path_factory) -> Path:
    """An environment with khhw's wheel; what it depends on is borrowed from this one."""
    folder = tmp_path_factory.mktemp("installation")
    environment = folder / "venv"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    done = run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    (packages,) = environment.glob("lib/python3*/site-packages")
    # A path file in a path file is not read, so the checkout, if it is installed here, is not borrowed.
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment


@pytest.fixture
def project(tmp_path) -> Path:
    return Path(shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))


def contents(folder: Path) -> dict[Path, int]:
    return {file: file.stat().st_mtime_ns for file in folder.rglob("*") if "__pycache__" not in file.parts}


def test_what_is_in_the_distributions(sdist, wheel):
    """All files that are under version control; without examples and tests what is installed needs none."""
    listed = run("git", "ls-files", cwd=ROOT)
    if listed.returncode:
        pytest.skip("needs the checkout's version control")
    files = {name for name in listed.stdout.splitlines() if (ROOT / name).is_file()}
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in files if not name.startswith((".ci/", "sim_build/"))} - packed == set()
    with zipfile.ZipFile(wheel) as archive:
        installed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert installed == {name for name in files if name.startswith(("khhw/", "rtl/"))}


def test_version(installation, tmp_path):
    done = run(installation / "bin" / "khhw", "--version", cwd=tmp_path)
    assert done.stdout == f"khhw {__version__}\n"
    code = "import importlib.metadata as m; print(m.version('khhw'), m.metadata('khhw')['License-Expression'])"
    done = run(installation / "bin" / "python", "-c", code, cwd=tmp_path)
    assert done.stdout == f"{__version__} Apache-2.0\n"


def test_verilog_of_a_block(installation, tmp_path):
    """The testbench's text is a file of the package."""
    done = run(installation / "bin" / "khhw", "verilog", "-o", "out", "--top", "guard", "--lint", cwd=tmp_path,
               KHHW_BUILD=str(tmp_path / "build"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "module khhw_guard_tb;" in (tmp_path / "out" / "khhw_guard_tb.sv").read_text()


def test_a_machine_on_the_native_engine(installation, tmp_path):
    """Kernels, RTL and the C++ of the engine are in the wheel. The build folder is the checkout's, to save a build."""
    machine = tmp_path / "pair.toml"
    shutil.copy(ROOT / "examples" / "pair.toml", machine)
    done = run(installation / "bin" / "khhw", "run", machine, "--engine", "native", "-o", "out", cwd=tmp_path,
               KHHW_BUILD=str(build_root()))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out" / "results.json").is_file()


def test_is_not_the_checkout(installation, project):
    code = "import khhw, rtl; print(khhw.__file__, rtl.__file__)"
    done = run(installation / "bin" / "python", "-c", code, cwd=project)
    assert all(Path(name).is_relative_to(installation) for name in done.stdout.split()), done.stdout


def test_their_testbench_runs(installation, project, tmp_path):
    before = contents(installation), contents(project)
    cache = tmp_path / "cache"
    done = run(installation / "bin" / "khhw", "test", project / "test_running_sum.py", "--variant", "default",
               cwd=tmp_path, XDG_CACHE_HOME=str(cache))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed  test_history_is_visible" in done.stdout
    assert {folder.name for folder in (cache / "khhw").iterdir()} == {
        "runs", "sim", "times", "verilog"}
    assert (contents(installation), contents(project)) == before


def test_their_failure_fails(installation, project, tmp_path):
    testbench = project / "test_running_sum.py"
    testbench.write_text(testbench.read_text().replace("== 77", "== 78"))
    done = run(installation / "bin" / "khhw", "test", testbench.name, "--variant", "default", "-k", "history",
               cwd=project, KHHW_BUILD=str(ROOT / "sim_build"))
    assert done.returncode == 1
    assert f"to repeat it with waves: {installation / 'bin' / 'khhw'} test {testbench}" in done.stdout


def test_doctor(installation, tmp_path):
    done = run(installation / "bin" / "khhw", "doctor", cwd=tmp_path, KHHW_BUILD=str(tmp_path / "build"))
    assert done.returncode == 0, done.stdout
    assert str(tmp_path / "build") in done.stdout


def test_demonstrations_and_skeletons_come_with_it(installation, tmp_path):
    khhw = installation / "bin" / "khhw"
    done = run(khhw, "demo", "list", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.splitlines()[-1].removeprefix("machine files: "))
    assert folder.is_relative_to(installation)
    code = "import sys; from khhw import Machine; print(*[Machine.load(f).file.nodes for f in sys.argv[1:]])"
    loaded = run(installation / "bin" / "python", "-c", code, *sorted(folder.glob("*.toml")), cwd=tmp_path)
    assert loaded.stdout.split() == ["8"] * 4, loaded.stderr
    for kind in ("testbench", "kernel", "machine"):
        assert run(khhw, "new", kind, "mine", "-o", tmp_path / kind, cwd=tmp_path).returncode == 0
    loaded = run(installation / "bin" / "python", "-c", code, tmp_path / "kernel" / "mine.toml", cwd=tmp_path)
    assert loaded.stdout.split() == ["2"], loaded.stderr
