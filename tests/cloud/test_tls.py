"""TLS: a certificate of one's own, and who is refused."""

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest

from khhw.cloud.settings import Settings, bound
from khhw.cloud.tls import certificate_for, client_context, server_context, write_secret
from khhw.errors import RequestError


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """What protocol the two agree upon."""
    one, other = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(one, server_side=True).close()
        except ssl.SSLError:
            one.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(other, server_hostname=name) as wrapped:
            return str(wrapped.version())
    finally:
        other.close()
        thread.join()


def test_its_own_certificate(tmp_path: Path) -> None:
    certificate, key = certificate_for(tmp_path, ("cloud.example", "192.0.2.7"))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    server = server_context(certificate, key)
    for name in ("localhost", "127.0.0.1", "cloud.example", "192.0.2.7"):
        assert shake(server, client_context(certificate), name) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, client_context(certificate), "elsewhere.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, client_context(None), "localhost")
    assert certificate_for(tmp_path, ()) == (certificate, key), "it is made once"
    assert shake(server_context(certificate, key), client_context(certificate), "cloud.example")


def test_files_that_are_none(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    certificate, _ = certificate_for(tmp_path, ())
    _, key = certificate_for(other, ())
    text = tmp_path / "text"
    text.write_text("no certificate")
    for wrong in ((certificate, key), (text, key), (certificate, tmp_path / "absent")):
        with pytest.raises(RequestError, match="no certificate with its key"):
            server_context(*wrong)
    for absent in (text, tmp_path / "absent", tmp_path):
        with pytest.raises(RequestError, match="is no certificate"):
            client_context(absent)


def test_a_secret_is_never_readable_by_others_and_never_overwrites(tmp_path: Path) -> None:
    write_secret(tmp_path / "secret", b"one")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        write_secret(tmp_path / "secret", b"two")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        write_secret(tmp_path / "link", b"two")
    assert (tmp_path / "secret").read_bytes() == b"one" and not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(("host", "secured"), [
    ("127.0.0.1", False), ("localhost", False), ("::1", False), ("127.8.8.8", False), ("0.0.0.0", True), ("::", True),
    ("192.0.2.7", True), ("cloud.example", True),
])
def test_tls_wherever_others_could_read_along(host: str, secured: bool) -> None:
    assert Settings(host=host).secured is secured
    assert Settings(host=host, tls=True).secured


def test_settings_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="--port must be from 0"):
        Settings(port=65536)
    with pytest.raises(RequestError, match="--ssh-port must be from 0"):
        Settings(ssh_port=-1)
    with pytest.raises(RequestError, match="go together"):
        Settings(key=tmp_path)


def test_a_port_that_is_taken() -> None:
    with bound("127.0.0.1", 0, "--port") as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(RequestError, match=f"port {port}: Address already in use; choose another port with --port"):
            bound("127.0.0.1", port, "--port")
    with pytest.raises(RequestError, match=r"192\.0\.2\.1"):
        bound("192.0.2.1", 0, "--port")
    with pytest.raises(RequestError, match="--host no such host"):
        bound("no such host", 0, "--port")
