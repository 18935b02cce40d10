"""Operations on leases."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from khhw.cloud.http.ask import Changing, Reading
from khhw.cloud.http.bodies import Extension, Joining, NewName, Rank, Receiver
from khhw.cloud.http.rights import may
from khhw.cloud.http.slow import SLOW, on_its_way
from khhw.cloud.models import Acquire, Connection, Intent, Lease, LeaseChange
from khhw.cloud.models import Reading as MeterReading

__all__ = ["ROUTER"]

ROUTER = APIRouter(tags=["leases"])

Strict = Annotated[bool, Query(description="Refuse it if it opens relays.")]


@ROUTER.get("/v1/leases", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def list_leases(
    asked: Reading, ended: Annotated[bool, Query(description="Also those that have ended.")] = False,
) -> list[Lease]:
    """Leases of who asks, of those below him, and those that he lets; for the owner all."""
    return await asked.look(lambda core, who: core.leases.all(who, ended=ended), much=ended)


@ROUTER.post("/v1/leases", responses=SLOW, openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
def acquire(asked: Changing, body: Acquire, response: Response) -> Intent:
    """Rent nodes, or let own ones on."""
    return on_its_way(asked.core.leases.acquire(asked.caller, asked.key, body), response)


@ROUTER.get("/v1/leases/{lease}", openapi_extra=may("owner", "self", "lessor"))
async def get_lease(asked: Reading, lease: str) -> Lease:
    """A lease, by its UUID, or by its name among those of who asks."""
    return await asked.look(lambda core, who: core.leases.get(who, lease))


@ROUTER.delete("/v1/leases/{lease}", responses=SLOW, openapi_extra=may("owner", "self", "lessor"))
def release(asked: Changing, lease: str, response: Response, strict: Strict = False) -> Intent:
    """End a lease, and all that is let on of it."""
    return on_its_way(asked.core.leases.release(asked.caller, asked.key, lease, strict=strict), response)


@ROUTER.post("/v1/leases/{lease}/add", responses=SLOW, openapi_extra=may("owner", "self", "lessor"))
def add_nodes(asked: Changing, lease: str, body: LeaseChange, response: Response) -> Intent:
    """More nodes; they join what all nodes of the lease are in."""
    return on_its_way(asked.core.leases.add(asked.caller, asked.key, lease, body), response)


@ROUTER.post("/v1/leases/{lease}/remove", responses=SLOW, openapi_extra=may("owner", "self", "lessor"))
def remove_nodes(asked: Changing, lease: str, body: LeaseChange, response: Response) -> Intent:
    """Fewer nodes; what is let on of them ends."""
    return on_its_way(asked.core.leases.remove(asked.caller, asked.key, lease, body), response)


@ROUTER.post("/v1/leases/{lease}/transfer", responses=SLOW, openapi_extra=may("owner", "self", "lessor"))
def transfer(asked: Changing, lease: str, body: Receiver, response: Response) -> Intent:
    """Give a lease to somebody else, cleared; who is not below who asks must accept it."""
    return on_its_way(
        asked.core.leases.transfer(asked.caller, asked.key, lease, body.to, strict=body.strict), response)


@ROUTER.post("/v1/leases/{lease}/accept", responses=SLOW, openapi_extra=may("stranger"))
def accept_lease(asked: Changing, lease: str, response: Response, strict: Strict = False) -> Intent:
    """Take a lease that was offered; the stranger of the table is whom it was offered to."""
    return on_its_way(asked.core.leases.accept(asked.caller, asked.key, lease, strict=strict), response)


@ROUTER.post("/v1/leases/{lease}/decline", responses=SLOW, openapi_extra=may("owner", "self", "lessor", "stranger"))
def decline_lease(asked: Changing, lease: str, response: Response) -> Intent:
    """Do not take it, or take an own offer back; the stranger of the table is whom it was offered to."""
    return on_its_way(asked.core.leases.decline(asked.caller, asked.key, lease), response)


@ROUTER.post("/v1/leases/{lease}/extend", openapi_extra=may("owner", "self", "lessor"))
def extend(asked: Changing, lease: str, body: Extension) -> Lease:
    """Let it end later; who lets it may also let it end sooner."""
    return asked.core.leases.extend(asked.caller, asked.key, lease, seconds=body.seconds, until=body.until)


@ROUTER.put("/v1/leases/{lease}/name", openapi_extra=may("self"))
def rename_lease(asked: Changing, lease: str, body: NewName) -> Lease:
    """Call it something."""
    return asked.core.leases.rename(asked.caller, asked.key, lease, body.name)


@ROUTER.post("/v1/leases/{lease}/warm", openapi_extra=may("self"))
def warm(asked: Changing, lease: str) -> Lease:
    """Its nodes have lost what was in them by a power cut, and the lessee has seen it."""
    return asked.core.leases.warm(asked.caller, asked.key, lease)


@ROUTER.get("/v1/leases/{lease}/readings", openapi_extra=may("owner", "self", "lessor"))
async def list_readings(
    asked: Reading, request: Request, lease: str,
    now: Annotated[bool, Query(description="Also what the meters of nodes that are there say now.")] = False,
) -> list[MeterReading]:
    """Counters of its nodes when they came to it and when they left."""
    machine = request.app.state.machine if now else None
    return await asked.look(lambda core, who: core.leases.readings(who, lease, machine), much=True)


@ROUTER.post("/v1/leases/{lease}/networks", responses=SLOW, openapi_extra=may("self"))
def connect(asked: Changing, lease: str, body: Joining, response: Response) -> Intent:
    """Let nodes join a network, or have another direction in it."""
    wish = Connection(network=body.network, direction=body.direction)
    return on_its_way(asked.core.networks.connect(
        asked.caller, asked.key, lease, wish, nodes=body.nodes, strict=body.strict), response)


@ROUTER.delete("/v1/leases/{lease}/networks/{network}", responses=SLOW, openapi_extra=may("self"))
def disconnect(
    asked: Changing, lease: str, network: int, response: Response,
    node: Annotated[list[Rank] | None, Query(description="Which of the lease; may be given again. None: all.")] = None,
) -> Intent:
    """Let nodes leave a network."""
    return on_its_way(asked.core.networks.disconnect(asked.caller, asked.key, lease, network, nodes=node), response)
