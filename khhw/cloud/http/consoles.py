"""Operations on console channels; what is said on them goes by :mod:`khhw.cloud.consoles`."""

from fastapi import APIRouter

from khhw.cloud.http.ask import Changing, Reading
from khhw.cloud.http.bodies import ConsoleGuest
from khhw.cloud.http.rights import may
from khhw.cloud.models import Console, Name

__all__ = ["ROUTER"]

ROUTER = APIRouter(tags=["consoles"])


@ROUTER.get("/v1/consoles", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def list_consoles(asked: Reading) -> list[Console]:
    """Channels that who asks may listen to."""
    return await asked.look(lambda core, who: core.channels.all(who))


@ROUTER.get("/v1/consoles/{console}", openapi_extra=may("self"))
async def get_console(asked: Reading, console: int) -> Console:
    """A channel."""
    return await asked.look(lambda core, who: core.channels.get(who, console))


@ROUTER.post("/v1/consoles/{console}/guests", openapi_extra=may("self"))
def share_console(asked: Changing, console: int, body: ConsoleGuest) -> Console:
    """Let somebody else listen, or write too."""
    return asked.core.channels.share(asked.caller, asked.key, console, body.guest, write=body.write)


@ROUTER.delete("/v1/consoles/{console}/guests/{guest}", openapi_extra=may("self", "stranger"))
def unshare_console(asked: Changing, console: int, guest: Name) -> Console:
    """No longer; the stranger of the table is the guest."""
    return asked.core.channels.unshare(asked.caller, asked.key, console, guest)
