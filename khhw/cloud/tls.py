"""Transport Layer Security: a certificate that the service makes for itself, and what clients check it against.

Without TLS the service listens on localhost only, because whoever reads along would read tokens. A certificate of
one's own is no worse than one of an authority as long as clients know it: they are given the file.
"""

import datetime
import ipaddress
import os
import ssl
from pathlib import Path

from khhw.errors import RequestError

__all__ = ["CERTIFICATE", "KEY", "certificate_for", "client_context", "keep_secret", "server_context", "write_secret"]

CERTIFICATE, KEY = "tls.crt", "tls.key"
"""Names in the state folder."""
_YEARS = 10


def certificate_for(folder: Path, names: tuple[str, ...]) -> tuple[Path, Path]:
    """Certificate and key in a state folder; made if there is none yet.

    Parameters
    ----------
    folder : Path
        State folder.
    names : tuple of str
        Host names and addresses under which clients reach the service; localhost is added.

    Returns
    -------
    tuple of Path
        Certificate, which clients are given, and key, which only the service can read.
    """
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not (certificate.exists() and key.exists()):
        pem, secret = _self_signed(dict.fromkeys(("localhost", "127.0.0.1", "::1", *names)))
        # Whenever this is cut off, the pair is not whole, and is made anew.
        certificate.unlink(missing_ok=True)
        keep_secret(key, secret)
        keep_secret(certificate, pem)
        certificate.chmod(0o644)
    return certificate, key


def _self_signed(names: dict[str, None]) -> tuple[bytes, bytes]:
    """Certificate and key of elliptic curve P-256, in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "khhw cloud")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([_general_name(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256()))
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _general_name(name: str) -> "x509.GeneralName":  # type: ignore[name-defined]  # noqa: F821
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write_secret(path: Path, data: bytes) -> None:
    """Write a file that only this user can read, from its first byte on; nothing may be there.

    It is on the disk when this returns, and not there at all if that fails.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink()
        raise


def keep_secret(path: Path, data: bytes) -> None:
    """The same, in place of what may be there; whenever it is cut off, all of one of both is there."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    write_secret(new, data)
    new.replace(path)


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """What the service answers with.

    Raises
    ------
    RequestError
        If the files are none, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise RequestError(f"{certificate} and {key} are no certificate with its key: "
                           f"{error.strerror or error}") from None
    return context


def client_context(certificate: Path | None) -> ssl.SSLContext:
    """What a client checks the service with: a certificate it was given, or the authorities that the system trusts.

    Raises
    ------
    RequestError
        If the file is no certificate.
    """
    try:
        return ssl.create_default_context(cafile=None if certificate is None else str(certificate))
    except (OSError, ssl.SSLError) as error:
        raise RequestError(f"{certificate} is no certificate: {error.strerror or error}") from None
