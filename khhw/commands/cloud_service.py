"""Which cloud a command is about, and who asks: options and environment of ``khhw ctl`` and ``khhw console``."""

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

__all__ = ["CloudService", "add_service", "service_of"]

_URL = "http://127.0.0.1:8480"
_LONGEST_TOKEN = 4096


@dataclass(frozen=True)
class CloudService:
    """A service, and who asks it.

    Parameters
    ----------
    url : str
        ``http://HOST:PORT`` or ``https://HOST:PORT``.
    token : str
        Secret.
    context : ssl.SSLContext or None
        What an https service is checked with; None for http.
    """

    url: str
    token: str = field(repr=False)
    context: "ssl.SSLContext | None"


def add_service(parser: argparse.ArgumentParser) -> None:
    """Options that say which service, and who asks."""
    parser.add_argument("--url", help=f"address of the service (default: $KHHW_CLOUD, else {_URL})")
    parser.add_argument("--token-file", dest="own_token", metavar="FILE", type=Path,
                        help="file with your token (default: $KHHW_TOKEN_FILE, else $KHHW_TOKEN is the token)")
    parser.add_argument("--cafile", metavar="FILE", type=Path,
                        help="certificate of the service, where it has made one itself (default: $KHHW_CAFILE)")


def service_of(arguments: argparse.Namespace) -> CloudService:
    """The service that options and environment name, and who they name.

    Raises
    ------
    RequestError
        If they name nothing, or nothing that can be used.
    """
    from urllib.parse import urlsplit

    from khhw.cloud.tls import client_context
    from khhw.errors import RequestError

    url = str(arguments.url or os.environ.get("KHHW_CLOUD") or _URL).rstrip("/")
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and not parts.path
    except ValueError:
        good = False
    if not good:
        raise RequestError(f"the address of a service is as in {_URL}, not {url!r}")
    token = _token(arguments)
    cafile = arguments.cafile or (Path(os.environ["KHHW_CAFILE"]) if os.environ.get("KHHW_CAFILE") else None)
    return CloudService(url, token, client_context(cafile) if url.startswith("https://") else None)


def _token(arguments: argparse.Namespace) -> str:
    from khhw.errors import RequestError
    from khhw.files import read_text

    named = arguments.own_token or os.environ.get("KHHW_TOKEN_FILE")
    token = read_text(named).strip() if named else os.environ.get("KHHW_TOKEN", "").strip()
    if not token:
        raise RequestError(f"{named} is empty, and should hold a token" if named else
                           "who are you? Name a file with your token (--token-file, or $KHHW_TOKEN_FILE)")
    if not (token.isascii() and token.isprintable()) or " " in token or len(token) > _LONGEST_TOKEN:
        raise RequestError(f"{named or '$KHHW_TOKEN'} holds something else than a token")
    return token
