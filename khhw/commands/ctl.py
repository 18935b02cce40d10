"""Rent nodes of a cloud, share them, hand them back, and look at them.

The service is the one at --url, or $KHHW_CLOUD, or http://127.0.0.1:8480. Who you are says a token: the contents of the
file that --token-file or $KHHW_TOKEN_FILE names, or $KHHW_TOKEN. LEASE is a lease's UUID or name, or its console, as in
con7. A change is waited for until the machine has carried it out. docs/cloud.md explains all of it.
"""

import argparse

from khhw.cloud.ctl.arguments import add_commands
from khhw.commands.cloud_service import add_service

__all__ = ["add_arguments", "run"]

_CONNECT_SECONDS, _ANSWER_SECONDS = 5.0, 60.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options and commands of ``khhw ctl``."""
    add_service(parser)
    parser.add_argument("--wait", metavar="SECONDS", type=float, default=600.0,
                        help="that the machine may take to carry a change out; 0: do not wait (%(default)g)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    add_commands(parser)


def run(arguments: argparse.Namespace) -> int:
    """Carry out a command; 0 when done."""
    from khhw.commands.cloud_service import service_of
    from khhw.commands.extra import need_cloud
    from khhw.errors import RequestError

    need_cloud()
    import httpx

    from khhw.cloud.ctl.perform import Terminal, perform
    from khhw.cloud.ctl.session import Session

    if not 0 <= arguments.wait < float("inf"):
        raise RequestError(f"--wait takes a number from 0, not {arguments.wait}")
    service = service_of(arguments)
    # What the environment says of proxies is not for tokens.
    with httpx.Client(
        base_url=service.url, headers={"Authorization": f"Bearer {service.token}"}, trust_env=False,
        timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS), verify=service.context or False,
    ) as client:
        return perform(Session(client, wait=arguments.wait), arguments, Terminal())
