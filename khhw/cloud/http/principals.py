"""Operations on principals and tokens."""

from fastapi import APIRouter

from khhw.cloud.http.ask import Changing, Reading
from khhw.cloud.http.bodies import Credential, Enabled, NewPrincipal, NewToken
from khhw.cloud.http.rights import may
from khhw.cloud.models import Principal, Quota, Token

__all__ = ["ROUTER"]

ROUTER = APIRouter(tags=["principals"])


@ROUTER.get("/v1/whoami", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def whoami(asked: Reading) -> Principal:
    """Who asks."""
    return await asked.look(lambda core, who: core.principals.get(who, who.name))


@ROUTER.get("/v1/principals", openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
async def list_principals(asked: Reading) -> list[Principal]:
    """Who asks, and all below him; for the owner everybody."""
    return await asked.look(lambda core, who: core.principals.all(who))


@ROUTER.post("/v1/principals", status_code=201,
             openapi_extra=may("owner", "self", "lessor", "sub-tenant", "stranger"))
def create_principal(asked: Changing, body: NewPrincipal) -> Principal:
    """Make somebody below who asks, with a part of his quota."""
    return asked.core.principals.create(
        asked.caller, asked.key, body.name, quota=body.quota, credential=body.credential)


@ROUTER.get("/v1/principals/{name}", openapi_extra=may("owner", "self", "lessor"))
async def get_principal(asked: Reading, name: str) -> Principal:
    """One principal."""
    return await asked.look(lambda core, who: core.principals.get(who, name))


@ROUTER.delete("/v1/principals/{name}", openapi_extra=may("owner", "lessor"))
def delete_principal(asked: Changing, name: str) -> Principal:
    """Delete somebody who holds nothing and has nobody below him."""
    return asked.core.principals.delete(asked.caller, asked.key, name)


@ROUTER.put("/v1/principals/{name}/quota", openapi_extra=may("owner", "lessor"))
def set_quota(asked: Changing, name: str, body: Quota) -> Principal:
    """Say what somebody below may hold; what he holds already stays."""
    return asked.core.principals.set_quota(asked.caller, asked.key, name, body)


@ROUTER.put("/v1/principals/{name}/credential", openapi_extra=may("owner", "self", "lessor"))
def set_credential(asked: Changing, name: str, body: Credential) -> Principal:
    """Choose the credential by which somebody is known over ssh."""
    return asked.core.principals.set_credential(asked.caller, asked.key, name, body.credential)


@ROUTER.put("/v1/principals/{name}/enabled", openapi_extra=may("owner", "lessor"))
def set_enabled(asked: Changing, name: str, body: Enabled) -> Principal:
    """Let somebody in, or keep him out; his leases stay."""
    return asked.core.principals.set_enabled(asked.caller, asked.key, name, body.enabled)


@ROUTER.get("/v1/principals/{name}/tokens", openapi_extra=may("owner", "self", "lessor"))
async def list_tokens(asked: Reading, name: str) -> list[Token]:
    """Tokens of somebody that are accepted, without their secrets."""
    return await asked.look(lambda core, who: core.principals.tokens(who, name))


@ROUTER.post("/v1/principals/{name}/tokens", status_code=201, openapi_extra=may("owner", "self", "lessor"))
def create_token(asked: Changing, name: str, body: NewToken) -> Token:
    """Make a token; its secret is in this answer only."""
    return asked.core.principals.create_token(
        asked.caller, asked.key, name, label=body.label, expires_at=body.expires_at, sha256=body.sha256)


@ROUTER.delete("/v1/tokens/{token}", openapi_extra=may("owner", "self", "lessor"))
def revoke_token(asked: Changing, token: str) -> Token:
    """Accept a token no longer; `token` is its id."""
    return asked.core.principals.revoke_token(asked.caller, asked.key, token)
