"""Run a machine and read its meters: what each node has sent and received, signed if need be.

FILE is a machine file (docs/machine-file.md). When it has run, and no packet moves any more, snapshots of all meters
are read, and what must hold between them is checked. -o keeps the reading as JSON; with --sign the owner signs it.
--verify checks a reading that somebody else made, --new-key makes a key pair to sign with (docs/meter.md).
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from khhw.machine.machine import Machine
    from khhw.machine.meter_record import MeterLaw
    from khhw.machine.results import Results

__all__ = ["add_arguments", "run"]

FORMAT = "khhw meter reading 1"
_OF_A_RUN = {"out": "-o", "sign": "--sign", "seed": "--seed", "engine": "--engine", "recount": "--recount"}
"""Options that go with FILE."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``khhw meter``."""
    parser.add_argument("file", nargs="?", metavar="FILE", help="machine file")
    parser.add_argument("-o", dest="out", metavar="OUT.json", type=Path, help="file to keep the reading in")
    parser.add_argument("--sign", metavar="KEY.pem", type=Path, help="sign the reading with this private key (Ed25519)")
    parser.add_argument("--recount", action="store_true",
                        help="run with waves, and count all again from the packets and cables in them")
    parser.add_argument("--seed", type=int, help="of everything random (default: the machine file's)")
    parser.add_argument("--engine", choices=("cocotb", "native"), help="what simulates the machine (default: cocotb)")
    parser.add_argument("--verify", metavar="OUT.json", type=Path, help="check the signature of a reading")
    parser.add_argument("--key", metavar="PUB.pem", type=Path, help="with --verify: whose signature it must be")
    parser.add_argument("--new-key", metavar="KEY.pem", type=Path,
                        help="make a private key, and the public one beside it in KEY.pub.pem")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(arguments: argparse.Namespace) -> int:
    """Meter, verify or make keys; 0 if everything was as it should be."""
    from khhw.errors import RequestError

    given = [name for name, value in (("FILE", arguments.file), ("--verify", arguments.verify),
                                      ("--new-key", arguments.new_key)) if value is not None]
    if len(given) != 1:
        raise RequestError("khhw meter takes one of these: a machine file, --verify OUT.json, --new-key KEY.pem"
                           + (f"; not {' and '.join(given)}" if given else ""))
    if arguments.key is not None and arguments.verify is None:
        raise RequestError("--key says whose signature a reading must bear: it needs --verify")
    if arguments.file is None and (odd := [option for name, option in _OF_A_RUN.items() if getattr(arguments, name)]):
        raise RequestError(f"{odd[0]} goes with a machine file, not with {given[0]}")
    if arguments.new_key is not None:
        return _new_key(arguments)
    return _verify(arguments) if arguments.verify is not None else _meter(arguments)


def _meter(arguments: argparse.Namespace) -> int:
    from khhw.build.cache import write_atomically
    from khhw.errors import RequestError
    from khhw.files import writable_file
    from khhw.machine.machine import Machine
    from khhw.visible import visible

    if arguments.seed is not None and not 0 <= arguments.seed < 1 << 32:
        raise RequestError(f"--seed must be from 0 to {(1 << 32) - 1}, not {arguments.seed}")
    if arguments.sign is not None and arguments.out is None and not arguments.json:
        raise RequestError("--sign needs -o or --json: there would be no reading that bears the signature")
    # Before a run that may take long.
    key = _signer(arguments.sign)
    if arguments.out is not None:
        _check_overwritten(writable_file(arguments.out))
    machine = Machine.load(arguments.file, engine=arguments.engine or "cocotb")
    file_sha256, kernels = hashlib.sha256(Path(arguments.file).read_bytes()).hexdigest(), machine.kernel_hashes()
    results = _simulate(machine, arguments)
    if not results.results.meters:
        why = f"there is no reading, the run ended as {results.state}: {results.message}"
        print(visible(f"khhw: {why}", lines=True), file=sys.stderr)
        return 130 if results.state == "interrupted" else 1
    document = _document(results, arguments.file, file_sha256, kernels)
    if key is not None:
        from khhw.machine.signature import signed

        document = signed(document, key)
    text = json.dumps(document, indent=1)
    if arguments.out is not None:
        write_atomically(arguments.out, text + "\n")
    _print(arguments, results, text)
    return 0 if results.passed else 1


def _check_overwritten(path: Path) -> None:
    """Refuse to write over anything but a reading that nobody has signed: a key, say, or the machine file.

    Raises
    ------
    RequestError
        If that is there.
    """
    from khhw.errors import RequestError
    from khhw.machine.signature import bears_signature, is_reading

    if not path.is_file() or not path.stat().st_size:
        return
    if bears_signature(path):
        raise RequestError(f"{path} is a signed reading, and would be lost; choose another name")
    if not is_reading(path, FORMAT):
        raise RequestError(f"{path} is there already, is no reading, and would be lost; choose another name")


def _signer(path: Path | None) -> Any:
    """The key in a file, if there is to be a signature."""
    if path is None:
        return None
    _need_cryptography()
    from khhw.machine.signature import private_key

    return private_key(path)


def _need_cryptography() -> None:
    from khhw.commands.extra import need_cloud

    need_cloud(["cryptography"])


def _simulate(machine: "Machine", arguments: argparse.Namespace) -> "Results":
    """Run the machine; with --recount its laws are more."""
    import tempfile

    from khhw.machine.waves import WavesChoice

    if not arguments.recount:
        return machine.run(seed=arguments.seed, command="meter")
    with tempfile.TemporaryDirectory(prefix="khhw-meter-") as folder:
        waves = WavesChoice.parse("all", None) if machine.engine == "native" else True
        results = machine.run(folder, seed=arguments.seed, waves=waves, command="meter")
        if results.results.meters:
            results.results.laws += _recounted(Path(folder), results)
        return results


def _recounted(folder: Path, results: "Results") -> "list[MeterLaw]":
    """What the waves of a run say of its meters: of the cables, and of every line of every meter."""
    from khhw.machine.meter_record import MeterLaw
    from khhw.trace.meter import NOT_RECOUNTED, cable_flits, recount
    from khhw.trace.run import Run
    from rtl.meter_lines import MeterLine

    traced = Run.load(folder)
    meters = results.results.meters
    hops = sum(reading.counts[f"{peer}_FLIT_HOPS"] for reading in meters for peer in ("OWN", "SHARED"))
    crossed = cable_flits(traced)
    laws = [MeterLaw(name="flits times cables = flits on all cables", left=hops, right=crossed, holds=hops == crossed)]
    counted = recount(traced)
    for line in (line for line in MeterLine if line not in NOT_RECOUNTED):
        pairs = [(reading.counts[line.name], count[line]) for reading, count in zip(meters, counted, strict=True)]
        left, right = (sum(side) for side in zip(*pairs, strict=True))
        laws.append(MeterLaw(name=f"{line.name} = recounted from packets, at every node", left=left, right=right,
                             holds=all(meter == again for meter, again in pairs)))
    return laws


def _document(results: "Results", file: str, file_sha256: str, kernels: dict[str, str]) -> dict[str, Any]:
    """A reading, as it is kept and signed."""
    from khhw.commands.output import report

    found = results.results
    return {
        "format": FORMAT, "machine_file": {"name": Path(file).name, "sha256": file_sha256},
        "kernels": kernels, "state": results.state, "passed": results.passed,
        **report({"meters": [reading.model_dump() for reading in found.meters],
                  "laws": [law.model_dump() for law in found.laws]},
                 seed=results.seed, parameters=results.parameters, build=results.build, cpu_model=results.cpu_model),
        "engine": results.engine}


def _print(arguments: argparse.Namespace, results: "Results", text: str) -> None:
    from khhw.commands.output import in_ascii
    from khhw.report.meters import law_lines, meter_lines
    from khhw.visible import visible

    if arguments.json:
        print(in_ascii(text))
        return
    lines = [*meter_lines(results.results.meters), "", *law_lines(results.results.laws)]
    if arguments.out is not None:
        lines += ["", f"reading  {arguments.out}{', signed' if arguments.sign else ''}"]
    print(visible("\n".join(lines), lines=True))
    for wrong in [] if results.passed else [results.message or "", *results.results.judge()]:
        if wrong:
            print(visible(f"khhw: {wrong}", lines=True), file=sys.stderr)


def _verify(arguments: argparse.Namespace) -> int:
    _need_cryptography()
    from khhw.errors import RequestError
    from khhw.machine.signature import NotSignedError, SignatureError, public_key, read_signed, verify
    from khhw.visible import visible

    key = None if arguments.key is None else public_key(arguments.key)
    document = read_signed(arguments.verify)
    try:
        signer, why = verify(document, key), ""
    except NotSignedError:
        raise RequestError(f"{arguments.verify} is not signed: khhw meter --sign KEY makes one that is") from None
    except RequestError as error:
        raise RequestError(f"{arguments.verify}: {error}") from None
    except SignatureError as error:
        signer, why = "", str(error)
    if signer and document.get("format") != FORMAT:
        raise RequestError(f"{arguments.verify}: is signed, but is no {FORMAT}")
    if arguments.json:
        print(json.dumps({"valid": bool(signer), "signed_by": signer or None,
                          "trusted": bool(signer) and key is not None, "why": why or None}, indent=1))
    elif signer:
        print(f"the signature fits: signed by {signer}" + (
            f", the key in {visible(str(arguments.key))}" if key is not None
            else "; whether that is the owner's key was not checked (--key PUB.pem)"))
    if why:
        print(visible(f"khhw: {arguments.verify}: {why}", lines=True), file=sys.stderr)
    return 0 if signer else 1


def _new_key(arguments: argparse.Namespace) -> int:
    _need_cryptography()
    from khhw.cloud.tls import write_secret
    from khhw.errors import RequestError
    from khhw.files import writable_file
    from khhw.machine.signature import fingerprint, new_key, public_key
    from khhw.visible import visible

    secret = writable_file(arguments.new_key)
    public = secret.with_name(f"{secret.name.removesuffix('.pem')}.pub.pem")
    for path in (secret, public):
        if path.exists() or path.is_symlink():
            raise RequestError(f"{path} is there already, and would be lost; name another file")
    private_pem, public_pem = new_key()
    write_secret(secret, private_pem)
    public.write_bytes(public_pem)
    signer = fingerprint(public_key(public))
    if arguments.json:
        print(json.dumps({"private": str(secret), "public": str(public), "fingerprint": signer}, indent=1))
    else:
        lines = [f"private key  {secret} (for nobody else)", f"public key   {public}", f"fingerprint  {signer}"]
        print(visible("\n".join(lines), lines=True))
    return 0
