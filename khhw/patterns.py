"""What names, labels, digests and keys are made of: regular expressions, and the same in words."""

__all__ = ["DIGEST", "IN_WORDS", "KEY", "LABEL", "NAME", "PHASE"]

NAME = "^[A-Za-z][A-Za-z0-9_-]{0,62}$"
"""Of a principal, or a lease."""
DIGEST = "^[0-9a-f]{64}$"
"""A SHA-256."""
KEY = "^[!-~]{1,200}$"
"""By which a change is known again that was asked for before."""
PHASE = "^[a-z][a-z0-9_]*$"
"""Of a phase of a machine file."""
LABEL = "^[a-z][a-z0-9_]{0,39}$"
"""Of something in a scenario."""

IN_WORDS = {
    NAME: "a letter, then up to 62 letters, digits, - and _",
    DIGEST: "64 hexadecimal digits in lower case",
    KEY: "1 to 200 printable ASCII characters without spaces",
    PHASE: "a lower-case letter, then lower-case letters, digits and _",
    LABEL: "a lower-case letter, then up to 39 lower-case letters, digits and _",
}
"""The same for people, by the regular expression."""
