"""What the models of results have in common."""

from pydantic import BaseModel, ConfigDict

__all__ = ["RecordModel"]


class RecordModel(BaseModel):
    """A part of the results of a run."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    def judge(self, phase: str) -> list[str]:
        """What of a record is not as it must be, a sentence each; a run with any has failed.

        Parameters
        ----------
        phase : str
            It is kept under; empty for what is kept in order.
        """
        return []
