"""Shapes of machines as people write them on a command line."""

__all__ = ["shape_of"]


def shape_of(text: str) -> tuple[int, int, int]:
    """The shape that `--nodes` gives as ``8x8x8``.

    Raises
    ------
    RequestError
        If it is none.
    """
    from khhw.errors import RequestError
    from rtl.fabric import check_shape
    from rtl.parameters import ParameterError

    try:
        x, y, z = (int(size) for size in text.split("x"))
        return check_shape((x, y, z))
    except (ValueError, ParameterError) as error:
        raise RequestError(f"--nodes takes three sizes from 1 to 64, as in 8x8x8, not {text!r}") from error
