"""Who may use an operation, said beside it and told in the OpenAPI description, from which tests and pages are made."""

from typing import Any

from fastapi import FastAPI

__all__ = ["EXTENSION", "ROLES", "may", "operations", "table"]

ROLES = {
    "owner": "the owner of the machine",
    "self": "whose it is",
    "lessor": "who lets to him, and has made him",
    "sub-tenant": "to whom he lets",
    "stranger": "somebody else with a token",
    "nobody": "who has no token",
}
"""Who somebody can be, seen from the thing that an operation is about."""
EXTENSION = "x-rights"
"""Key in the description."""


def may(*roles: str) -> dict[str, Any]:
    """For ``openapi_extra``: the roles that may."""
    unknown = set(roles) - set(ROLES)
    if unknown:
        raise ValueError(f"no roles {', '.join(sorted(unknown))}; there are {', '.join(ROLES)}")
    return {EXTENSION: [role for role in ROLES if role in roles]}


def operations(app: FastAPI) -> dict[str, dict[str, Any]]:
    """All operations of a description by their id, with ``method`` and ``path`` added."""
    return {operation["operationId"]: {**operation, "method": method.upper(), "path": path}
            for path, methods in app.openapi()["paths"].items() for method, operation in methods.items()}


def table(app: FastAPI) -> str:
    """The matrix of rights as a table in Markdown."""
    rows = [f"| `{operation['method']} {operation['path']}` | "
            + " | ".join("yes" if role in operation[EXTENSION] else "-" for role in ROLES) + " |"
            for operation in operations(app).values()]
    return "\n".join([f"| operation | {' | '.join(ROLES)} |", "|---" * (len(ROLES) + 1) + "|", *rows]) + "\n"
