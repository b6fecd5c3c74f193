"""The mock over TLS: certificates made on the fly or given, and files that are none."""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import trustme
from mock_calls import CI, DLI, Caller

from calloff.errors import InvalidInputError, MissingExtraError
from calloff.mock.connections import Limits
from calloff.mock.server import run_embedded
from calloff.mock.tls import Tls

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def caller() -> Iterator[Caller]:
    with run_embedded(tls=Tls()) as server:
        verify = ssl.create_default_context(cafile=server.announcement["ca_file"])
        with httpx.Client(trust_env=False, verify=verify) as client:
            yield Caller(server, client)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a CA, a certificate with its key, and things that are neither."""
    folder = tmp_path_factory.mktemp("tls")
    ca = trustme.CA()
    made = ca.issue_cert("127.0.0.1")
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    made.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    made.private_key_pem.write_to_path(str(folder / "key.pem"))
    ca.issue_cert("localhost").private_key_pem.write_to_path(str(folder / "other-key.pem"))
    (folder / "text.pem").write_text("no certificate")
    return folder


@pytest.mark.parametrize("operation", [CI, DLI])
def test_jobs_are_cancelled_over_tls(caller: Caller, operation: str) -> None:
    job = caller.job(operation)
    assert caller.cancel(job).status_code == 200
    assert caller.state(job) in {"Cancel", "CANCELLED"}


def test_everything_that_is_announced_speaks_tls(caller: Caller) -> None:
    announced = caller.server.announcement
    urls = [announced[name] for name in ("provider_states_url", "control_url", "iam_url")]
    urls += [api["base_url"] for api in announced["apis"].values()]
    for url in urls:
        assert url.startswith("https://127.0.0.1:")
        assert (
            caller.client.get(url.partition("/")[0] + "//" + url.split("/")[2] + "/healthz").status_code
            == 200
        )


def test_the_certificate_is_for_loopback_and_the_announced_host(caller: Caller) -> None:
    context = ssl.create_default_context(cafile=caller.server.announcement["ca_file"])
    for name in ("localhost", "127.0.0.1", "::1", caller.place(CI)["host"]):
        with (
            socket.create_connection(caller.address(CI), timeout=5) as connection,
            context.wrap_socket(connection, server_hostname=name) as wrapped,
        ):
            assert wrapped.version() in {"TLSv1.2", "TLSv1.3"}


def test_nobody_else_vouches_for_the_certificate(caller: Caller) -> None:
    with (
        httpx.Client(trust_env=False, verify=ssl.create_default_context()) as client,
        pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        client.get(caller.control)


def test_plain_http_to_a_tls_port_harms_nobody(caller: Caller) -> None:
    with socket.create_connection(caller.address(DLI), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        while connection.recv(4096):
            pass
    assert caller.cancel(caller.job(DLI)).status_code == 200


@pytest.mark.parametrize("kind", ["reset", "truncate"])
def test_connections_break_over_tls_too(caller: Caller, kind: str) -> None:
    caller.disturb(kind=kind, requests=1)
    with pytest.raises(httpx.TransportError):
        caller.cancel(caller.job(DLI))
    assert caller.cancel(caller.job(DLI)).status_code == 200


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01"])
def test_a_handshake_is_not_waited_for_without_end(begun: bytes) -> None:
    with run_embedded(["otc-dli"], tls=Tls(), limits=Limits(request_seconds=0.2)) as server:
        port = int(server.announcement["apis"]["otc-dli"]["base_url"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:  # seconds
            connection.sendall(begun)
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1) == b""


def test_the_ca_is_gone_with_the_server() -> None:
    with run_embedded(["otc-dli"], tls=Tls()) as server:
        ca_file = Path(server.announcement["ca_file"])
        assert "PRIVATE" not in ca_file.read_text("utf-8")
        address = ("127.0.0.1", int(server.announcement["iam_url"].rpartition(":")[2]))
        context = ssl.create_default_context(cafile=ca_file)
        # An idle connection: the server must not wait for it, nor leave its end open.
        idle = context.wrap_socket(socket.create_connection(address, timeout=5), server_hostname="127.0.0.1")
        idle.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert idle.recv(4096).startswith(b"HTTP/1.1 200 ")
    with idle:
        idle.settimeout(5)
        assert idle.recv(4096) == b""
    assert not ca_file.exists()
    assert not ca_file.parent.exists()


def test_a_certificate_can_be_given(files: Path) -> None:
    with run_embedded(["otc-dli"], tls=Tls(files / "cert.pem", files / "key.pem")) as server:
        assert "ca_file" not in server.announcement
        verify = ssl.create_default_context(cafile=files / "ca.pem")
        with httpx.Client(trust_env=False, verify=verify) as client:
            caller = Caller(server, client)
            assert caller.cancel(caller.job(DLI)).status_code == 200


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [
        ("missing.pem", "key.pem", r"cannot read .*missing\.pem: No such file"),
        ("cert.pem", "missing.pem", r"cannot read .*missing\.pem: No such file"),
        ("cert.pem", ".", "cannot read .*: Is a directory"),
        (
            "text.pem",
            "key.pem",
            r"text\.pem with the key .*key\.pem is no certificate to serve: .*expected a PEM",
        ),
        ("cert.pem", "text.pem", "is no certificate to serve: .*expected a PEM"),
        ("cert.pem", "other-key.pem", "is no certificate to serve: .*KEY_VALUES_MISMATCH"),
        ("cert.pem", "locked.pem", r"the key .*locked\.pem has a password; expected one without"),
    ],
)
def test_files_that_are_no_certificate_are_refused_in_a_sentence(
    files: Path, certificate: str, key: str, message: str
) -> None:
    if key == "locked.pem":
        lock(files / "key.pem", files / key)
    with (
        pytest.raises(InvalidInputError, match=message),
        run_embedded(tls=Tls(files / certificate, files / key)),
    ):
        pass


def lock(key: Path, locked: Path) -> None:
    """Put a password on a private key."""
    from cryptography.hazmat.primitives import serialization

    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    locked.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"a test word"),
        )
    )


def test_one_file_alone_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="a certificate needs its key"):
        Tls(certificate=Path("cert.pem"))


def test_what_makes_certificates_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(MissingExtraError, match=r"calloff\[mock\]"), run_embedded(tls=Tls()):
        pass
