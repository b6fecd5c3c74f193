"""The certificate of a server that speaks TLS: one that is given, or one made on the fly."""

from __future__ import annotations

import contextlib
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from calloff.errors import InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

CA_FILE = "calloff-mock-ca.pem"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS.

    Args:
        certificate: PEM file of the certificate and those above it; without, one is made with a CA of its own.
        key: PEM file of its private key, without a password.

    Raises:
        InvalidInputError: one of the two files without the other.
    """

    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise InvalidInputError(
                "a certificate needs its key, and a key its certificate; give both or neither"
            )


@dataclass(frozen=True, slots=True)
class Served:
    """A certificate that is ready to serve, and the file with the CA that vouches for it, if that is ours."""

    context: ssl.SSLContext
    ca_file: Path | None


@contextlib.contextmanager
def certified(tls: Tls | None, names: Iterable[str]) -> Generator[Served | None, None, None]:
    """Make a certificate ready while the context lasts; a CA made for it is gone afterwards.

    Args:
        tls: how to speak TLS; None for not at all.
        names: hosts and addresses that a certificate made here is for, beside those of loopback.

    Raises:
        InvalidInputError: the files cannot be read, or are no certificate with its key.
        MissingExtraError: what makes certificates is not installed.
    """
    if tls is None:
        yield None
    elif tls.certificate is not None and tls.key is not None:
        yield Served(_given(tls.certificate, tls.key), None)
    else:
        with tempfile.TemporaryDirectory(prefix="calloff-mock-") as folder:
            yield _made(names, Path(folder) / CA_FILE)


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _given(certificate: Path, key: Path) -> ssl.SSLContext:
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise InvalidInputError(f"cannot read {path}: {error.strerror}; expected a PEM file") from error
    context = _context()

    def no_password() -> str:
        raise InvalidInputError(f"the key {key} has a password; expected one without")

    try:
        context.load_cert_chain(certificate, key, password=no_password)
    except (ssl.SSLError, ValueError) as error:
        if isinstance(error, InvalidInputError):
            raise
        raise InvalidInputError(
            f"{certificate} with the key {key} is no certificate to serve: {getattr(error, 'reason', None) or error}; "
            "expected a PEM certificate, those above it, and its private key"
        ) from error
    return context


def _made(names: Iterable[str], ca_file: Path) -> Served:
    try:
        import trustme
    except ImportError as error:
        raise MissingExtraError(
            "TLS without a certificate needs the extra: pip install 'calloff[mock]'"
        ) from error
    ca = trustme.CA()
    context = _context()
    ca.issue_cert(*dict.fromkeys((*_LOOPBACK, *names))).configure_cert(context)
    ca.cert_pem.write_to_path(str(ca_file))
    return Served(context, ca_file)
