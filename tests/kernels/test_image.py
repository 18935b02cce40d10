"""Kernel images: what is run is what was loaded, and nothing else."""

import shutil
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khhw.kernels import attack, latency, probe, victim
from khhw.kernels.forgotten import Forgotten
from khhw.kernels.image import HEADER_BYTES, Image, ImageError, build_image, image_length, load_image
from khhw.tracebacks import with_traceback

CODE = """
from khhw.node import Node
import struct

async def main(node, arguments):
    pass
"""


def written(tmp_path, code, name="kernel.py"):
    path = tmp_path / name
    path.write_text(code)
    return path


@pytest.mark.parametrize("kernel", [probe, attack, victim, latency])
def test_our_kernels_are_images(kernel):
    image = build_image(kernel)
    assert Image.parse(image).name == kernel.__name__.rpartition(".")[2]
    assert load_image(image).__name__ == "main"
    assert image_length(image[:HEADER_BYTES]) == len(image)


def result_of(image):
    """What the entry of an image returns without waiting for anything."""
    with pytest.raises(StopIteration) as ended:
        load_image(image)(None, "").send(None)
    return ended.value.value


def test_code_comes_from_the_bytes_and_not_from_the_file(tmp_path):
    path = written(tmp_path, "VALUE = 1\nasync def main(node, arguments):\n    return VALUE\n")
    image = build_image(path)
    path.write_text("VALUE = 2\nasync def main(node, arguments):\n    return VALUE\n")
    assert result_of(image) == 1
    path.unlink()
    assert result_of(image) == 1


IMAGE = build_image(latency)


@given(st.integers(0, len(IMAGE) * 8 - 1))
def test_one_flipped_bit_is_found(bit):
    damaged = bytearray(IMAGE)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ImageError):
        load_image(bytes(damaged))


def test_a_flipped_bit_of_the_code_is_a_wrong_checksum():
    damaged = bytearray(IMAGE)
    damaged[-1] ^= 1
    with pytest.raises(ImageError, match=r"Wrong checksum: the header says [0-9a-f]{8}, the image has [0-9a-f]{8}"):
        load_image(bytes(damaged))


def test_a_truncated_image_says_how_long_it_should_be():
    with pytest.raises(ImageError, match=f"says it has {len(IMAGE)} bytes; there are {len(IMAGE) - 1}"):
        load_image(IMAGE[:-1])


def test_bytes_behind_an_image_do_not_matter():
    assert load_image(IMAGE + bytes(100)).__name__ == "main"


@pytest.mark.parametrize(
    "name", ["cocotb", "warnings", "os", "sys", "khhw.host.transport", "khhw.kernels.probe", "khhw"])
@pytest.mark.parametrize("form", ["import {}", "from {} import anything", "class C:\n    import {}"])
def test_imports_that_are_not_a_kernels(tmp_path, name, form):
    path = written(tmp_path, CODE + form.format(name) + "\n")
    with pytest.raises(ImageError, match=f"may not import '{name}'; it may import khhw.node"):
        build_image(path)


@pytest.mark.parametrize(("code", "message"), [
    ("def main(:", "does not compile"),
    ("x = 1\n", "no function 'main'"),
    ("1 / 0\n", "does not start: ZeroDivisionError"),
    ("open('/etc/passwd')\n", "no files and no terminal"),
    ("\ndef main(node, arguments): pass\n", r"kernel\.py:2: main of kernel kernel is no coroutine; .* async def"),
    ("main = 5\n", r"kernel\.py: main of kernel kernel is no coroutine"),
    ("async def main(node, arguments):\n    yield\n", r"kernel\.py:1: main .* is an async generator: it has a yield"),
    ("async def main(node): pass\n", r"kernel\.py:1: main .* does not take a node and its arguments \(too many pos"),
    ("def f():\n    return 1 / 0\nf()\n", "ZeroDivisionError: division by zero, in kernel line 2"),
    ("async def main(node, arguments): pass\nx = (\n", r"does not compile: .*kernel\.py:2: "),
])
def test_code_that_is_no_kernel(tmp_path, code, message):
    with pytest.raises(ImageError, match=message):
        build_image(written(tmp_path, code))


@pytest.mark.parametrize(("name", "instead"), [
    ("pdb", r"breakpoint\(\) stops"), ("asyncio", "khhw.node has spawn"), ("time", "node.sleep")])
def test_what_a_kernel_has_instead_is_named_once(tmp_path, name, instead):
    path = written(tmp_path, f"def late():\n    import {name}\nlate()\n" + CODE)
    with pytest.raises(ImageError, match=instead) as refused:
        build_image(path)
    assert str(refused.value).startswith(f"{path}:2: kernel kernel does not start: A kernel may not import '{name}'; ")
    assert with_traceback("once", refused.value).count("may not import") <= 1
    assert refused.value.__suppress_context__


FORGETS = """
async def wanted(value=None):
    pass

def helper():
    wanted()

async def main(node, arguments):
    wanted()
    wanted(wanted())
    helper()
"""


@pytest.mark.filterwarnings("ignore:coroutine")
def test_what_was_not_awaited_is_kept_with_its_line(tmp_path):
    forgotten = Forgotten()
    main = load_image(build_image(written(tmp_path, FORGETS)), None, forgotten)
    assert str(forgotten) == ""
    with pytest.raises(StopIteration):
        main(None, "").send(None)
    assert str(forgotten).startswith("never awaited: 1 coroutine in kernel line 9, 2 coroutines in kernel line 10, "
                                     "1 coroutine in kernel line 6;")


@pytest.mark.parametrize("last", [
    "__import__('warnings', {}, {}, [], 0)", "__import__('warnings', globals(), None, (), 0)",
    "[__import__('warnings', globals(), {'warnings': 1}, '') for _ in range(3)][0]"])
def test_a_kernel_that_asks_as_python_does_gets_nothing(tmp_path, last):
    assert result_of(build_image(written(tmp_path, f"async def main(n, a):\n    return {last}\n"))) is None


def test_only_so_many_places_are_kept():
    forgotten = Forgotten()
    for line in range(1000):
        forgotten.note("k" * 10_000, line)
    assert str(forgotten).count("line") == 8 and "992 coroutines elsewhere" in str(forgotten)
    assert len(str(forgotten)) < 2000


class TestFolder:
    """A kernel of several modules."""

    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "several"
        folder.mkdir()
        written(folder, "", "__init__.py")
        written(folder, "from several.numbers import TWO\n\nasync def main(node, arguments):\n    return TWO\n",
                "main.py")
        written(folder, "from several import words\nTWO = len(words.TWO)\n", "numbers.py")
        written(folder, "TWO = 'zw'\n", "words.py")
        written(folder, "import os\n", "unused.py")
        return folder

    def test_it_carries_what_its_main_module_imports(self, folder):
        image = Image.parse(build_image(folder))
        assert (image.name, next(iter(image.modules))) == ("several", "several.main")
        assert set(image.modules) == {"several", "several.main", "several.numbers", "several.words"}

    def test_what_runs_is_what_it_carries(self, folder):
        image = build_image(folder)
        written(folder, "TWO = 'drei'\n", "words.py")
        assert result_of(image) == 2
        shutil.rmtree(folder)
        assert result_of(image) == 2
        assert result_of(image) == 2

    def test_modules_of_two_images_are_not_shared(self, folder):
        before = build_image(folder)
        written(folder, "TWO = 'drei'\n", "words.py")
        after = build_image(folder)
        assert [result_of(image) for image in (before, after, before)] == [2, 4, 2]

    def test_a_module_imports_no_more_than_the_main_one(self, folder):
        written(folder, "import os\nTWO = 'zw'\n", "words.py")
        with pytest.raises(ImageError, match="may not import 'os'"):
            build_image(folder)

    def test_a_module_that_does_not_compile(self, folder):
        written(folder, "TWO =\n", "words.py")
        with pytest.raises(ImageError, match="Kernel several does not compile"):
            build_image(folder)

    def test_modules_are_imported_with_from(self, folder):
        written(folder, "import several.words\nfrom several import words\nasync def main(n, a): pass\n", "main.py")
        with pytest.raises(ImageError, match="with from"):
            build_image(folder)

    def test_a_file_may_use_our_folders(self, tmp_path):
        path = written(tmp_path, "from khhw.kernels.memcached.protocol import MAXIMUM_KEY\n"
                                 "async def main(n, a): pass\n")
        image = build_image(path)
        assert result_of(image) is None
        assert list(Image.parse(image).modules)[:1] == ["kernel"]

    def test_bytes_that_are_no_modules(self):
        for body, message in ((b"no zlib", "not compressed"), (zlib.compress(bytes(1 << 21)), "do not end"),
                              (zlib.compress(b"\0\5\0\0\0\5ab"), "do not fill"), (zlib.compress(b""), "do not fill")):
            head = IMAGE[:8] + (HEADER_BYTES + len(body)).to_bytes(4, "big")
            crc = zlib.crc32(head + IMAGE[16:HEADER_BYTES] + body).to_bytes(4, "big")
            with pytest.raises(ImageError, match=message):
                Image.parse(head + crc + IMAGE[16:HEADER_BYTES] + body)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"nowhere\.py cannot be read"):
        build_image(tmp_path / "nowhere.py")


def test_a_long_name_is_refused(tmp_path):
    with pytest.raises(ImageError, match="longer than 32"):
        build_image(written(tmp_path, CODE, "k" * 33 + ".py"))


def test_the_checksum_is_that_of_zlib():
    assert int.from_bytes(IMAGE[12:16], "big") == zlib.crc32(IMAGE[:12] + IMAGE[16:])
