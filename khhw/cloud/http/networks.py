"""Operations on networks."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from khhw.cloud.http.ask import Changing, Reading
from khhw.cloud.http.bodies import Guest, NetworkName, NewNetwork
from khhw.cloud.http.rights import may
from khhw.cloud.http.slow import SLOW, on_its_way
from khhw.cloud.models import Consent, Intent, Name, Network

__all__ = ["ROUTER"]

ROUTER = APIRouter(tags=["networks"])


@ROUTER.get("/v1/networks", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def list_networks(asked: Reading) -> list[Network]:
    """Networks that who asks owns or is a guest of, and those for everybody."""
    return await asked.look(lambda core, who: core.networks.all(who))


@ROUTER.post("/v1/networks", status_code=201,
             openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
def create_network(asked: Changing, body: NewNetwork) -> Network:
    """Make a private network with nobody in it."""
    return asked.core.networks.create(asked.caller, asked.key, body.name)


@ROUTER.get("/v1/networks/{network}", openapi_extra=may("owner", "self", "lessor"))
async def get_network(asked: Reading, network: int) -> Network:
    """A network."""
    return await asked.look(lambda core, who: core.networks.get(who, network))


@ROUTER.put("/v1/networks/{network}/name", openapi_extra=may("self"))
def rename_network(asked: Changing, network: int, body: NetworkName) -> Network:
    """Call it something."""
    return asked.core.networks.rename(asked.caller, asked.key, network, body.name)


@ROUTER.delete("/v1/networks/{network}", responses=SLOW, openapi_extra=may("self"))
def delete_network(asked: Changing, network: int, response: Response) -> Intent:
    """Delete it: all nodes leave it."""
    return on_its_way(asked.core.networks.delete(asked.caller, asked.key, network), response)


@ROUTER.post("/v1/networks/{network}/guests", openapi_extra=may("self"))
def share_network(asked: Changing, network: int, body: Guest) -> Consent:
    """Offer it to somebody, whose nodes may join once he has accepted."""
    return asked.core.networks.share(asked.caller, asked.key, network, body.guest, body.direction)


@ROUTER.post("/v1/networks/{network}/accept", openapi_extra=may("stranger"))
def accept_network(asked: Changing, network: int) -> Consent:
    """Become the guest; the stranger of the table is whom it was offered to."""
    return asked.core.networks.accept(asked.caller, asked.key, network)


@ROUTER.post("/v1/networks/{network}/leave", responses=SLOW, openapi_extra=may("self", "stranger"))
def leave_network(
    asked: Changing, network: int, response: Response,
    guest: Annotated[Name | None, Query(description="Whom its owner sends away.")] = None,
) -> Intent:
    """End a guest's membership: his nodes leave; the stranger of the table is the guest."""
    return on_its_way(asked.core.networks.leave(asked.caller, asked.key, network, guest), response)
