"""A program for a fabric with traffic generators: the owner opens it, hosts run a campaign, everything is read."""

import re
from pathlib import Path

from khhw.control.domains import Domains
from khhw.control.epochs import EpochControl
from khhw.control.outside import Outside
from khhw.control.owner import Owner
from khhw.node import BusError, Node, Shape
from rtl.registers import REGISTERS, Pattern

WIDE = ("GENERATED", "GENERATED_FLITS", "INJECTED", "INJECTED_FLITS", "RECEIVED", "RECEIVED_FLITS", "ACCEPTED",
        "ACCEPTED_FLITS", "LATENCY_SUM", "WINDOW")
DOCUMENT = Path(__file__).parents[2] / "docs" / "traffic.md"
documented = {}
exec(re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)[1], documented)
"""The example of the document."""

OPENED = 20_000
"""By this cycle the owner is ready."""

SINGLE = ("OVERRUNS", "SELF", "LATENCY_MAX", "STATUS")


class Campaign:
    """Results by rank."""

    def __init__(self):
        self.measured = {}
        self.over = 0

    def results(self, outcome):
        return {"nodes": self.measured}

    def stuck(self, read):
        return [f"quiescent is {read('quiescent'):#b}"]


async def measure(campaign, port, settings):
    """Run one node's part and keep what it measured."""
    while True:
        try:
            node = await Node.open(port)
            break
        except BusError:
            await port.sleep(50)
    await node.sleep(OPENED - port.now)
    assert REGISTERS["RESOURCES"].unpack(await node.read("RESOURCES"))["extensions"] == 1
    await node.write("TRAFFIC_SEED", settings["seed"])
    await documented["offer"](node, settings["probability"], settings["shares"], settings["packets"],
                              Pattern[settings["pattern"]], settings["channel"])
    await node.sleep(settings["cycles"])
    measured = {name: await node.read(f"TRAFFIC_{name}") for name in SINGLE}
    measured |= {name: await documented["counter"](node, f"TRAFFIC_{name}") for name in WIDE}
    measured["MEAN"] = await documented["mean_latency"](node)
    for name, count in (("ERRORS", 6), ("HISTOGRAM", 128)):
        measured[name] = [await node.read(f"TRAFFIC_{name}", index) for index in range(count)]
    campaign.measured[port.rank] = measured
    campaign.over += 1


async def open_up(host, shape, campaign):
    """The owner's work."""
    outside = Outside(host.root)
    await outside.start()
    owner = Owner(outside, shape)
    await owner.release()
    await EpochControl(owner).change(Domains.from_groups({"all": list(range(shape.nodes))}, shape.nodes))
    while campaign.over < shape.nodes:
        await outside.sleep(1000)
    for rank in range(shape.nodes):
        campaign.measured[rank]["STAMPED"] = await owner.read(rank, "INJECTED", range(2))


def run(host, arguments):
    """Entry."""
    campaign = Campaign()
    shape = Shape(*arguments["shape"])
    host.scheduler.spawn(open_up(host, shape, campaign), name="owner")
    for port in host.nodes:
        host.scheduler.spawn(measure(campaign, port, arguments), rank=port.rank, name=f"node {port.rank}")
    return campaign
