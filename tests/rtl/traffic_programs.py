"""A program for a fabric with traffic generators: the owner opens it, hosts run a campaign, everything is read."""

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.node import BusError, Shape
from rtl.registers import REGISTERS, Pattern

WIDE = ("GENERATED", "GENERATED_FLITS", "INJECTED", "INJECTED_FLITS", "RECEIVED", "RECEIVED_FLITS", "ACCEPTED",
        "ACCEPTED_FLITS", "LATENCY_SUM", "WINDOW")
OPENED = 20_000
"""By this cycle the owner is ready."""

SINGLE = ("OVERRUNS", "SELF", "LATENCY_MAX", "STATUS")


class Campaign:
    """Results by rank."""

    def __init__(self):
        self.measured = {}

    def results(self, outcome):
        return {"nodes": self.measured}

    def stuck(self, read):
        return [f"quiescent is {read('quiescent'):#b}"]


async def read(node, name, index=0):
    return await node.read(REGISTERS[name].at(index))


async def write(node, name, value, index=0):
    await node.write(REGISTERS[name].at(index), value)


async def measure(campaign, node, settings):
    """Run one node's part and keep what it measured."""
    while True:
        try:
            assert await read(node, "RESOURCES") >> 24 == 1
            break
        except BusError:
            await node.sleep(50)
    await node.sleep(OPENED - node.now)
    while await read(node, "TRAFFIC_STATUS") & 0b110:
        await node.sleep(50)
    await write(node, "TRAFFIC_SEED", settings["seed"])
    await write(node, "TRAFFIC_PROBABILITY", settings["probability"])
    for index, threshold in enumerate(settings["lengths"]):
        await write(node, "TRAFFIC_LENGTHS", threshold, index)
    await write(node, "TRAFFIC_COUNT", settings["packets"])
    await write(node, "TRAFFIC_CONTROL", settings["channel"] << 5 | Pattern[settings["pattern"]] << 2 | 0b11)
    await node.sleep(settings["cycles"])
    measured = {name: await read(node, f"TRAFFIC_{name}") for name in SINGLE}
    for name in WIDE:
        low = await read(node, f"TRAFFIC_{name}")
        measured[name] = low | await read(node, f"TRAFFIC_{name}", 1) << 32
    measured["ERRORS"] = [await read(node, "TRAFFIC_ERRORS", kind) for kind in range(6)]
    measured["HISTOGRAM"] = [await read(node, "TRAFFIC_HISTOGRAM", bin_) for bin_ in range(128)]
    measured["INJECTED_BY_GUARD"] = [await read(node, "INJECTED", parity) for parity in range(2)]
    campaign.measured[node.rank] = measured


async def open_up(host, shape):
    """The owner's work."""
    outside = Outside(host.root)
    await outside.start()
    owner = Owner(outside, shape)
    await owner.release()
    await EpochControl(owner).change(Domains.from_groups({"all": list(range(shape.nodes))}, shape.nodes))


def run(host, arguments):
    """Entry."""
    campaign = Campaign()
    shape = Shape(*arguments["shape"])
    host.scheduler.spawn(open_up(host, shape), name="owner")
    for node in host.nodes:
        host.scheduler.spawn(measure(campaign, node, arguments), rank=node.rank, name=f"node {node.rank}")
    return campaign
