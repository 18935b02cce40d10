"""What commands of the cloud need beyond khhw itself."""

import importlib.util
from collections.abc import Sequence

from khhw.errors import RequestError

__all__ = ["need_cloud"]

_MODULES = ("fastapi", "uvicorn", "websockets", "httpx", "asyncssh", "cryptography")


def need_cloud(modules: Sequence[str] = _MODULES) -> None:
    """Say what to install, before anything is imported that is not there.

    Parameters
    ----------
    modules : sequence of str
        Those of the extra that are used; all by default.

    Raises
    ------
    RequestError
        If libraries of the extra ``cloud`` are missing.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise RequestError(f"this needs the extra 'cloud' of khhw ({', '.join(missing)} cannot be found); "
                           "install it with: pip install 'khhw[cloud]'")
