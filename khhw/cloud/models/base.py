"""What all models of the cloud are made of: kinds of values, and how models behave."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from khhw.patterns import DIGEST, NAME

__all__ = ["Count", "Digest", "Direction", "Model", "Name", "Seconds"]

Name = Annotated[str, Field(pattern=NAME)]
"""A principal's name, or a lease's: a letter, then letters, digits, - and _."""
Digest = Annotated[str, Field(pattern=DIGEST)]
"""A SHA-256 in lower-case hexadecimal digits."""
Seconds = Annotated[float, Field(gt=0, le=3e9, allow_inf_nan=False)]
"""A length of machine time."""
Count = Annotated[int, Field(ge=0, le=1 << 32)]
"""How many there may be."""

Direction = Literal["both", "send", "receive"]
"""What a node may do in a network: ``send`` only to those with ``receive`` or ``both``, and the other way round."""


class Model(BaseModel):
    """Refuses what it does not know, and is not changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
