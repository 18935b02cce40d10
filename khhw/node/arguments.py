"""Arguments of a kernel: ``name=value`` words behind the address on the boot line."""

from collections.abc import Iterable

__all__ = ["parse_options"]


def parse_options(text: str, also: Iterable[str] = (), /, **defaults: int | list[int]) -> dict[str, list[int]]:
    """Options of a kernel.

    Parameters
    ----------
    text : str
        Words ``name=value`` or ``name=value,value``, numbers as Python writes them.
    also : iterable of str
        Options the caller has taken out of the text itself; named where one is unknown.
    **defaults : int or list of int
        Every option there is, and its value where the text does not set it.

    Returns
    -------
    dict of str to list of int
        One or more values of each option.

    Raises
    ------
    ValueError
        For an unknown option or something that is not a number.
    """
    options = {name: [value] if isinstance(value, int) else list(value) for name, value in defaults.items()}
    for word in text.split():
        name, equals, values = word.partition("=")
        if not equals or name not in options:
            raise ValueError(f"no option {word!r}; options are {', '.join(f'{known}=' for known in [*options, *also])}")
        try:
            options[name] = [int(value, 0) for value in values.split(",")]
        except ValueError:
            raise ValueError(f"option {word!r} is not {name}=NUMBER or {name}=NUMBER,NUMBER") from None
    return options
