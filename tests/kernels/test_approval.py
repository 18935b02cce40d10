"""Only images whose SHA-256 was approved boot, on the reference machine."""

import pytest

from khhw.kernels.approval import Approval, NotApprovedError, image_digest
from khhw.kernels.image import HEADER_BYTES, build_image
from khhw.kernels.loader import run_loader
from tests.reference import Rig

HELLO = """
async def main(node, arguments):
    await node.console.print(f"hello {arguments}")
"""
OUTCRY = "node 0> error: boot: the owner of the machine has not approved the image with SHA-256 "


def image_of(folder, name, text):
    path = folder / f"{name}.py"
    path.write_text(text)
    return build_image(path)


@pytest.fixture
def approval():
    return Approval()


@pytest.fixture
def rig(approval, monkeypatch):
    async def load(transport):
        await run_loader(transport, approval=approval)

    monkeypatch.setattr("tests.reference.run_loader", load)
    return Rig((1, 1, 1))


def boot(rig, image, answer):
    """Load an image, boot it, and give the line that holds `answer`."""
    base = rig.machine.layout.image.base

    async def program():
        await rig.console.load(image, base, [0])
        mark = await rig.console.boot(base, "", [0])
        return (await rig.console.wait([0], answer, since=mark, refuse=()))[0].text

    return rig.run(program())


def test_nothing_boots_before_it_is_approved_and_only_that_then(rig, approval, tmp_path):
    image, other = image_of(tmp_path, "hello", HELLO), image_of(tmp_path, "other", HELLO)
    assert boot(rig, image, "error") == OUTCRY + image_digest(image)
    approval.approve_only([image_digest(image)])
    assert boot(rig, image, "kernel hello done") == "node 0> kernel hello done"
    assert boot(rig, other, "error") == OUTCRY + image_digest(other)
    approval.approve_only([])
    assert boot(rig, image, "error") == OUTCRY + image_digest(image)


@pytest.mark.parametrize("at", [0, 6, 8, 12, 16, 40, HEADER_BYTES, -1])
def test_no_byte_of_an_image_may_be_another(rig, approval, tmp_path, at):
    image = image_of(tmp_path, "hello", HELLO)
    approval.approve_only([image_digest(image)])
    changed = bytearray(image)
    changed[at] ^= 1
    assert "done" not in boot(rig, bytes(changed), "error")


def test_what_is_behind_an_image_neither_counts_nor_runs(rig, approval, tmp_path):
    image = image_of(tmp_path, "hello", HELLO)
    approval.approve_only([image_digest(image)])
    assert boot(rig, image + b"import os", "kernel hello done")


def test_a_cut_image_is_not_the_approved_one(approval):
    approval.approve_only([image_digest(b"whole")])
    approval.check(b"whole")
    with pytest.raises(NotApprovedError):
        approval.check(b"whol")


@pytest.mark.parametrize("wrong", ["", "AB" * 32, "0" * 63, "0" * 64 + "\n", "0x" + "0" * 62])
def test_what_is_no_sum_is_refused_and_changes_nothing(approval, wrong):
    approval.approve_only([image_digest(b"kept")])
    with pytest.raises(ValueError, match="is no SHA-256"):
        approval.approve_only([image_digest(b"new"), wrong])
    approval.check(b"kept")
