"""``docs/results.md``, ``docs/machine-file.md``, ``docs/cloud-scenario.md`` and ``docs/schemas``, from the models that
check these files."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from khhw.cloud.scenario import file as scenario
from khhw.cloud.scenario.record import Record
from khhw.export.reference import GENERATED, table
from khhw.machine.results import Results
from rtl.parameters import Bubble, Parameters

__all__ = ["json_schemas", "machine_file_reference", "results_reference", "scenario_reference"]

_RESULTS_SCHEMA, _MACHINE_FILE_SCHEMA, _SWEEP_SCHEMA, _SCENARIO_SCHEMA, _RECORD_SCHEMA = (
    f"schemas/{name}.json" for name in ("results", "machine-file", "sweep", "cloud-scenario", "cloud-record"))

_RESULTS = """\
A run leaves `results.json` in the folder it was given; `khhw.machine.results.Results` reads and writes it.
It is one object with the keys of `Results` [below](#keys). The results of a run that ended early (Ctrl-C, a deadlock, a
wrong machine) have the same keys; `state` and `message` say what happened. Terms are explained in the
[glossary](glossary.md).

In Python:

```python
from khhw.machine.results import Results

results = Results.read("out/demo/results.json")
print(results.state, results.passed)
for phase in results.results.matrix:
    print(phase, results.matrix(phase, "observed").sum(), "pairs observed")
print(results.latency().shape)  # samples x (source, destination, hops, bytes, cycles)
```

Files of khhw from before there were [measurements of one's own](measurements.md) have no `own` in `results`;
`Results.read` takes them as files with none; older ones have no `provenance`. All other keys are the same."""

_MACHINE_FILE = """\
A machine file is TOML. It says what is built (torus, node, parts), who may send to whom
([domains](glossary.md#domain)), and what is done in which order ([phases](glossary.md#phase)). It is checked as a whole
before anything is built: an unknown key, a wrong type or a node that does not exist is an error with its line and what
would be right.

Nodes are named by [rank](glossary.md#rank). `isAllowed` is given in one of three forms. These three are equal:

```toml
[domains.as_matrix]
matrix = [
  [1, 1, 0, 0],
  [1, 1, 0, 0],
  [0, 0, 1, 1],
  [0, 0, 1, 1],
]

[domains.as_groups]
groups = { left = [0, 1], right = [2, 3] }

[domains.as_rules]
rules = ["0 -> 0 1", "1 -> 0 1", "2 -> 2 3", "3 -> 2 3"]
```

What a phase can `measure`, and how to add to it, is in [measurements.md](measurements.md).

A part of the node can be replaced by a class of your own with the ports of the part:

```toml
[parts]
router = "my_router:MyRouter"
```"""


_SCENARIO = """\
`khhw cloud run SCENARIO.toml` plays a scenario on the nodes of a [machine file](machine-file.md). It is TOML: a
machine, [principals](glossary.md#principal), and events in the order of their cycles. [cloud.md](cloud.md#scenarios)
says how one is played and what comes of it; `examples/lease_scenario.toml` is one. It is checked as a whole before
anything is built: an unknown key, a node that does not exist, or a lease that nobody has rented is an error with its
line and what would be right.

An event says when, who, and what:

```toml
[[events]]
cycle = 600_000
who = "alice"
share = { network = "shared", guest = "bob" }
```

Leases and networks are called by the names that events give them. Whoever may see several leases of one name means his
own, or else the latest."""


_RECORD = f"""\
`scenario.json` has the keys of all results of khhw: `version`, `provenance`, `seed`, `parameters` (the scenario and its
machine with all defaults, and the engine), `build`, `cpu_model`; and in `results` what follows. But for `provenance`
and `wall_seconds` it is the same whenever a scenario is played. JSON schema of `results`:
[{_RECORD_SCHEMA}]({_RECORD_SCHEMA})."""


def scenario_reference() -> str:
    """Text of ``docs/cloud-scenario.md``."""
    page = _reference("Scenarios of the cloud", "`khhw/cloud/scenario/file.py` and `record.py`", _SCENARIO,
                      _SCENARIO_SCHEMA, scenario.schema())
    models = _reachable(Record.model_json_schema())
    return "\n\n".join([f"{page}\n## Results", _RECORD, *(_model(*model) for model in models.items())]) + "\n"


def results_reference() -> str:
    """Text of ``docs/results.md``."""
    return _reference("Results", "`khhw/machine/results.py`", _RESULTS, _RESULTS_SCHEMA, Results.model_json_schema())


def machine_file_reference() -> str:
    """Text of ``docs/machine-file.md``."""
    # The machine file imports the parts of a node to check replacements; results do without.
    from khhw.machine.file import schema

    return _reference("Machine file", "`khhw/machine/file.py` and `rtl/parameters.py`", _MACHINE_FILE,
                      _MACHINE_FILE_SCHEMA, schema())


def json_schemas() -> dict[str, str]:
    """JSON schemas of all files that people write or programs read, by file name below ``docs``."""
    from khhw.machine import file as machine_file
    from khhw.sweep import spec as sweep_spec

    schemas = {_RESULTS_SCHEMA: Results.model_json_schema(), _MACHINE_FILE_SCHEMA: machine_file.schema(),
               _SWEEP_SCHEMA: sweep_spec.schema(), _SCENARIO_SCHEMA: scenario.schema(),
               _RECORD_SCHEMA: Record.model_json_schema()}
    return {name: json.dumps(schema, indent=1) + "\n" for name, schema in schemas.items()}


def parameter_docs(kind: type) -> dict[str, str]:
    """Text by name, from the `Parameters` section of a class docstring in the form of numpydoc."""
    section = inspect.cleandoc(kind.__doc__ or "").partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    docs: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if not line.startswith(" "):
            names = [name.strip() for name in line.partition(":")[0].split(",")]
        else:
            docs |= {name: f"{docs.get(name, '')} {line.strip()}".strip() for name in names}
    return docs


def _reference(title: str, source: str, introduction: str, file: str, schema: dict[str, Any]) -> str:
    models = _reachable(schema)
    blocks = [f"# {title}", GENERATED, f"Source: {source}. JSON schema: [{file}]({file}).", introduction, "## Keys"]
    blocks += [_model(name, model) for name, model in models.items()]
    return "\n\n".join(blocks) + "\n"


def _reachable(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The models with keys by name, each after the one that mentions it first."""
    definitions = schema.get("$defs", {})
    found = {schema["title"]: schema}
    waiting = [schema]
    while waiting:
        for name in _references(waiting.pop(0).get("properties", {})):
            if name not in found and "properties" in definitions[name]:
                found[name] = definitions[name]
                waiting.append(definitions[name])
    return found


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def _model(name: str, model: dict[str, Any]) -> str:
    docs = parameter_docs(Parameters) if name == "Parameters" else {}
    rows = [[f"`{key}`", _type(entry), _default(entry, key in model.get("required", ())),
             _one_line(entry.get("description") or docs.get(key, ""))] for key, entry in model["properties"].items()]
    description = _one_line(model.get("description", "").partition("\n\n")[0])
    return "\n\n".join([f"### {name}", description, table(["key", "type", "default", "meaning"], rows)])


def _type(entry: dict[str, Any]) -> str:
    if "$ref" in entry:
        name = entry["$ref"].rpartition("/")[2]
        rules = [f'`"{rule}"`' for rule in Bubble]
        return " or ".join(rules) if name == Bubble.__name__ else f"[{name}](#{name.lower()})"
    if "enum" in entry or "const" in entry:
        return " or ".join(f"`{json.dumps(value)}`" for value in entry.get("enum", [entry.get("const")]))
    if "anyOf" in entry:
        return " or ".join(_type(option) for option in entry["anyOf"])
    kind = entry.get("type")
    if kind == "array":
        items = [_type(item) for item in entry.get("prefixItems", ())]
        return f"list of {len(items)} {_plural(items[0])}" if items else f"list of {_plural(_type(entry['items']))}"
    if kind == "object":
        values = entry.get("additionalProperties")
        return f"table of {_plural(_type(values))} by name" if isinstance(values, dict) else "table"
    return str(kind) + _limits(entry)


def _plural(kind: str) -> str:
    """A type in the plural; links and values stay as they are."""
    first, space, rest = kind.partition(" ")
    return f"{first}s{space}{rest}" if first.isalpha() else kind


def _limits(entry: dict[str, Any]) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "above", "exclusiveMaximum": "below", "maximum": "at most"}
    found = [f"{word} {entry[key]}" for key, word in words.items() if key in entry]
    if "pattern" in entry:
        found.append(f"matching `{entry['pattern']}`")
    return ", " + ", ".join(found) if found else ""


def _default(entry: dict[str, Any], required: bool) -> str:
    if required:
        return "required"
    value = entry.get("default")
    if isinstance(value, dict) and value:
        return "its defaults"
    return f"`{json.dumps(value)}`" if value is not None else "none"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("``", "`").strip()
