"""The application: all operations, over a core that is open."""

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from khhw._version import __version__
from khhw.cloud.core import Core
from khhw.cloud.http import consoles, leases, machine, networks, principals
from khhw.cloud.http.limits import SmallBodies
from khhw.cloud.http.problems import RESPONSES, answer_problems
from khhw.cloud.machine import Machine

__all__ = ["application"]

_ROUTERS = (principals.ROUTER, leases.ROUTER, networks.ROUTER, consoles.ROUTER, machine.ROUTER)
_DESCRIPTION = """Nodes of a machine for rent. Every operation takes a token; one that changes something takes an \
`Idempotency-Key`. What the machine must carry out is answered by 202 and an intent to poll. `x-rights` names who may \
use an operation."""


def application(
    core: Core, machine: Machine, *, ssh_port: int | None = None, more: tuple[APIRouter, ...] = (),
) -> FastAPI:
    """The HTTP interface.

    Parameters
    ----------
    core : Core
    machine : Machine
        What `core` has its changes carried out by.
    ssh_port : int, optional
        What clients are told.
    more : tuple of APIRouter
        Further routes: the consoles' websocket.
    """
    app = FastAPI(
        title="khhw cloud", version=__version__, description=_DESCRIPTION, docs_url=None, redoc_url=None,
        generate_unique_id_function=_name_of, responses=RESPONSES)
    app.state.core, app.state.machine, app.state.ssh_port = core, machine, ssh_port
    # Set when the service ends: nobody is kept waiting then.
    app.state.ending = False
    for router in (*_ROUTERS, *more):
        app.include_router(router)
    answer_problems(app)
    _describe(app)
    app.add_middleware(SmallBodies)
    return app


def _name_of(route: APIRoute) -> str:
    """Operations are called as their functions are."""
    return route.name


def _describe(app: FastAPI) -> None:
    """Leave out of the description what is never answered: what does not fit the description is a 400 here."""
    original = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            for methods in original()["paths"].values():
                for operation in methods.values():
                    operation["responses"].pop("422", None)
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
