"""Show every tool: its version, where it is, what is missing and how to get it.

Exit code 1 if something is missing that a simulation needs.
"""

import argparse
import json

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw doctor``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Show the tools; 0 if nothing needed is missing."""
    from dataclasses import asdict

    from khhw.build.doctor import examine
    from khhw.commands.output import report

    tools = examine()
    broken = [tool for tool in tools if tool.needed and not tool.present]
    if arguments.json:
        print(json.dumps(report([asdict(tool) | {"present": tool.present} for tool in tools]), indent=1))
        return 1 if broken else 0
    width = max(len(tool.name) for tool in tools)
    version_width = max(len(tool.version) for tool in tools if tool.path)
    for tool in tools:
        if tool.present:
            print(f"{'ok':<8} {tool.name:<{width}}  {tool.version:<{version_width}}  {tool.path}")
        else:
            state = "MISSING" if tool.needed else "absent"
            print(f"{state:<8} {tool.name:<{width}}  {tool.version or '-':<{version_width}}  {tool.remedy}")
    if broken:
        print(f"\n{len(broken)} missing: simulations cannot be built before that is remedied")
    return 1 if broken else 0
