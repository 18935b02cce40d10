"""Operations that the machine carries out: 202, and where to ask how far they are."""

from typing import Any

from fastapi import Response

from khhw.cloud.models import Intent

__all__ = ["SLOW", "on_its_way"]

SLOW: dict[int | str, dict[str, Any]] = {202: {
    "model": Intent, "description": "On its way to the machine; poll the address in Location until state is done",
    "headers": {"Location": {"schema": {"type": "string"}, "description": "Of the intent"}}}}
"""For the description of such an operation."""


def on_its_way(intent: Intent, response: Response) -> Intent:
    """The answer: 202 while the machine has it not yet, else 200."""
    response.headers["Location"] = f"/v1/intents/{intent.id}"
    response.status_code = 200 if intent.state == "done" else 202
    return intent
