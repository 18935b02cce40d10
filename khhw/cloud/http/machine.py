"""Operations on the machine: nodes, changes on their way, images, the audit log."""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from khhw.cloud.errors import CloudError
from khhw.cloud.http.ask import Changing, Reading
from khhw.cloud.http.bodies import Image
from khhw.cloud.http.rights import may
from khhw.cloud.http.slow import SLOW, on_its_way
from khhw.cloud.machine import Machine, MachineError
from khhw.cloud.models import Approval, AuditEntry, Check, Digest, Intent, MachineTime, Node

__all__ = ["ROUTER"]

ROUTER = APIRouter(tags=["machine"])
LONGEST_WAIT = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.2


class Health(BaseModel):
    """Whether the service answers."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    status: Literal["ok"] = "ok"
    """It does."""


class MachineDescription(BaseModel):
    """What is let, and what time it is in it."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    shape: tuple[int, int, int]
    """Nodes in x, y and z."""
    nodes: int
    """How many that are."""
    memory_bytes: int
    """Of a node."""
    image_address: int
    """Where in it images are loaded."""
    clock_hz: int
    """Cycles in a machine second."""
    digest: str
    """SHA-256 of the description."""
    ssh_port: int | None
    """Where ssh reaches the service."""
    time: MachineTime
    """What time it is in the machine."""


@ROUTER.get("/v1/health", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger", "nobody"))
async def health() -> Health:
    """Whether the service answers."""
    return Health()


@ROUTER.get("/v1/machine", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def machine(asked: Reading, request: Request) -> MachineDescription:
    """What machine this is, and what time it is in it."""
    time = await asked.look(lambda core, _who: core.time())
    info = request.app.state.machine.info
    return MachineDescription(
        shape=info.shape, nodes=info.nodes, memory_bytes=info.memory_bytes, image_address=info.image_address,
        clock_hz=info.clock_hz, digest=info.digest, ssh_port=request.app.state.ssh_port, time=time)


@ROUTER.get("/v1/nodes", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def list_nodes(asked: Reading) -> list[Node]:
    """All nodes; whose they are as far as who asks may know it."""
    return await asked.look(lambda core, who: core.nodes.all(who))


@ROUTER.post("/v1/nodes/{rank}/quarantine", responses=SLOW, openapi_extra=may("owner"))
def quarantine(asked: Changing, rank: int, response: Response) -> Intent:
    """Let nobody have a node; a lease that has it loses it."""
    return on_its_way(asked.core.nodes.quarantine(asked.caller, asked.key, rank), response)


@ROUTER.post("/v1/nodes/{rank}/restore", openapi_extra=may("owner"))
def restore(asked: Changing, rank: int) -> Node:
    """It may be leased again."""
    return asked.core.nodes.restore(asked.caller, asked.key, rank)


@ROUTER.get("/v1/intents", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def list_intents(
    asked: Reading,
    open_ones: Annotated[bool, Query(alias="open", description="Those that are not done; else the last 100.")] = True,
) -> list[Intent]:
    """Changes on their way."""
    return await asked.look(lambda core, who: core.intents.all(who, open=open_ones))


@ROUTER.get("/v1/intents/{intent}", openapi_extra=may("owner", "self", "lessor"))
async def get_intent(
    asked: Reading, request: Request, intent: str,
    wait: Annotated[float, Query(ge=0, le=LONGEST_WAIT, description="Seconds to wait for it to be done.")] = 0.0,
) -> Intent:
    """How far a change is."""
    deadline = asyncio.get_running_loop().time() + wait
    pause = _FIRST_PAUSE
    while True:
        found = await asked.look(lambda core, who: core.intents.get(who, intent))
        left = deadline - asyncio.get_running_loop().time()
        if found.state == "done" or left <= 0 or request.app.state.ending:
            return found
        await asyncio.sleep(min(pause, left))
        pause = min(2 * pause, _LONGEST_PAUSE)


@ROUTER.get("/v1/images", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def list_images(asked: Reading) -> list[Approval]:
    """Images that may boot."""
    return await asked.look(lambda core, who: core.approvals.all(who))


@ROUTER.post("/v1/images", status_code=201, openapi_extra=may("owner"))
def approve_image(asked: Changing, body: Image) -> Approval:
    """Let an image boot."""
    return asked.core.approvals.approve(asked.caller, asked.key, body.sha256, body.name)


@ROUTER.delete("/v1/images/{sha256}", openapi_extra=may("owner"))
def withdraw_image(asked: Changing, sha256: Digest) -> Approval:
    """Let an image boot no more; what runs goes on."""
    return asked.core.approvals.withdraw(asked.caller, asked.key, sha256)


@ROUTER.get("/v1/audit", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def audit(
    asked: Reading,
    after: Annotated[int | None, Query(ge=0, description="Entries behind this number; without, the last.")] = None,
    limit: Annotated[int, Field(ge=1, le=1000), Query(description="How many entries at most.")] = 100,
) -> list[AuditEntry]:
    """The audit log: what who asks, and those below him, did; all of it for the owner. The oldest first."""
    return await asked.look(lambda core, who: core.audit(who, after=after, limit=limit), much=True)


@ROUTER.post("/v1/check", openapi_extra=may("owner"))
def check(asked: Reading, request: Request) -> Check:
    """Whether the store agrees with itself and with the machine; changes nothing."""
    if not asked.caller.is_owner:
        raise CloudError.forbidden("only the owner of the machine can have it checked")
    machine: Machine = request.app.state.machine
    try:
        return asked.core.check(machine)
    except MachineError as error:
        raise CloudError.unavailable(f"the machine does not answer: {error}") from error
