"""A kernel that wants the store: what it could do, and that nobody but the owner of the machine can have it run."""

import zlib

import pytest

from khhw.cloud.machine import MachineGoneError
from khhw.kernels.approval import image_digest
from khhw.kernels.image import build_image
from tests.cloud.simulated import Ear, killed, revision, simulated

HOSTILE = """
async def main(node, arguments):
    # A kernel has no open, but every object leads to one.
    for found in ().__class__.__base__.__subclasses__():
        builtins = getattr(getattr(found.__init__, "__globals__", None), "get", lambda _: None)("__builtins__")
        if isinstance(builtins, dict) and "open" in builtins:
            with builtins["open"](arguments, "rb") as store:
                await node.console.print(f"stolen {store.read(40).hex()}")
            return
    await node.console.print("nothing leads to open")
"""
SECRET = b"hash of the owner's token"
CHANNEL, RANK = 7, 0


@pytest.fixture
def tenant(tmp_path):
    """A machine of which somebody has a node, and a state folder with a store."""
    with simulated(tmp_path) as machine:
        (machine.state / "cloud.db").write_bytes(SECRET)
        machine.connect()
        machine.ear = Ear(machine, CHANNEL)
        leased(machine, 1)
        yield machine


def leased(machine, number):
    machine.apply(revision(number, {CHANNEL: [RANK]}, hand_over=[RANK]))
    machine.ear.wait("ready")


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "hostile.py"
    path.write_text(HOSTILE)
    return build_image(path)


def boot(machine, image, *wanted):
    """Do as a tenant does, until there is a line with each text."""
    address = machine.info.image_address
    machine.say(CHANNEL, f"mrw {address:#x} {len(image)}", image)
    machine.say(CHANNEL, f"crc {address:#x} {len(image)}")
    machine.ear.wait(f"crc: {zlib.crc32(image):08x}")
    machine.say(CHANNEL, f"boot {address:#x} {machine.state / 'cloud.db'}")
    machine.ear.wait(*wanted)


@pytest.mark.rare  # With two simulators; that only approved images boot is among the tests of one.
def test_a_hostile_kernel_does_not_boot_whatever_is_approved_and_whenever(tenant, image):
    refusal = f"has not approved the image with SHA-256 {image_digest(image)}"
    boot(tenant, image, refusal)
    # Nor one that calls itself as an approved one, with what is approved behind it.
    tenant.approve([image_digest(b"something else"), image_digest(image[:-1])])
    boot(tenant, image, refusal)
    assert not any(b"stolen" in heard.data for heard in tenant.ear.heard)

    # Approved, it has all that the simulator has: this is why approval is asked for.
    tenant.approve([image_digest(image)])
    boot(tenant, image, f"stolen {SECRET.hex()}")

    # A machine that was switched on again has no approvals, until it is told.
    tenant.ear.heard.clear()
    killed(tenant)
    with pytest.raises(MachineGoneError):
        tenant.approve([])
    tenant.connect()
    leased(tenant, 1)
    boot(tenant, image, refusal)
    assert not any(b"stolen" in heard.data for heard in tenant.ear.heard)
