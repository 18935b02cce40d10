"""The table of rights in ``docs/cloud.md``, from the description of the HTTP interface.

Run it in the root of the checkout: ``python -m docs.rights`` writes the table; a test compares.
"""

from pathlib import Path

from khhw.cloud.http.app import application
from khhw.cloud.http.rights import ROLES, table

__all__ = ["PAGE", "inserted"]

PAGE = Path(__file__).with_name("cloud.md")
BEGIN, END = "<!-- table: python -m docs.rights -->\n", "<!-- end of table -->\n"


def inserted(text: str) -> str:
    """A page with the tables of roles and of rights as they should be."""
    before, _, rest = text.partition(BEGIN)
    roles = "\n".join(["| role | who it is, seen from the thing that an operation is about |", "|---|---|",
                       *(f"| {role} | {meaning} |" for role, meaning in ROLES.items())])
    rights = table(application(None, None))  # type: ignore[arg-type]
    return f"{before}{BEGIN}\n{roles}\n\n{rights}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(inserted(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
