"""Ask a command for a key, and ask again before it ends, as ``credential_process`` of other clouds' tools does."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from calloff.credentials import AccessKey, TemporaryKey
from calloff.errors import CredentialError, InvalidInputError

OPTION = "--credential-command"
_SECONDS = 60.0
_LARGEST = 64 * 1024


class _Shape(NamedTuple):
    """Where in the JSON text id, secret, token and end stand; dots lead inwards."""

    id: str
    secret: str
    token: str
    ends: str


_SHAPES = (
    _Shape("id", "secret", "token", "expires_at"),
    # OTC-IAM and HW-IAM, "Obtaining a Temporary AK/SK"
    _Shape("credential.access", "credential.secret", "credential.securitytoken", "credential.expires_at"),
    # Tencent Cloud STS, GetFederationToken and AssumeRole
    _Shape("Credentials.TmpSecretId", "Credentials.TmpSecretKey", "Credentials.Token", "ExpiredTime"),
)


def ask(command: str, environment: Mapping[str, str]) -> AccessKey | TemporaryKey:
    """Run ``command``, without a shell and for at most 60 seconds, and return the key that it prints.

    It prints one JSON object on standard output: ``id``, ``secret``, and for a temporary key ``token`` and
    ``expires_at`` (Unix seconds, or ISO 8601 with its offset); or the answer of an IAM or STS as it came. What it
    says on standard error is dropped, since it may quote a secret. Raises InvalidInputError or CredentialError.
    """
    text = _output(_words(command), environment)
    found: Any = None
    # Not raised from the handler: the error of the parser carries the text.
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(text)
    if not isinstance(found, dict):
        raise CredentialError(
            f"{OPTION}: expected one JSON object on standard output, such as "
            '{"id": "…", "secret": "…", "token": "…", "expires_at": 1767225600}; it printed something else'
        )
    for shape in _SHAPES:
        if _member(found, shape.id) is not None:
            return _key(found, shape)
    raise CredentialError(f"{OPTION}: the JSON object that it printed has no member id")


def _words(command: str) -> list[str]:
    words: list[str] = []
    problem = "it is empty"
    try:
        words = shlex.split(command)
    except ValueError as error:
        problem = str(error)
    if not words:
        raise InvalidInputError(f"{OPTION}: expected a program and its arguments: {problem}")
    return words


def _output(words: list[str], environment: Mapping[str, str]) -> bytes:
    problem = ""
    output = b""
    try:
        with subprocess.Popen(  # noqa: S603 - the user's own command, without a shell
            words,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                output, _ = process.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                problem = f"it did not end within {_SECONDS:g} seconds"
                process.kill()
            if not problem and process.returncode:
                problem = f"it ended with exit status {process.returncode}; run it by hand to see why"
    except (OSError, ValueError) as error:
        problem = f"it cannot be run: {getattr(error, 'strerror', None) or 'no program has that name'}"
    if not problem and len(output) > _LARGEST:
        problem = f"it printed more than {_LARGEST} bytes"
    if problem:
        raise CredentialError(f"{OPTION}: {words[0]}: {problem}")
    return output


def _key(found: dict[str, Any], shape: _Shape) -> AccessKey | TemporaryKey:
    parts: dict[str, str] = {}
    for part in ("id", "secret", "token"):
        path = getattr(shape, part)
        value = _member(found, path)
        if isinstance(value, str) and value:
            parts[part] = value
        elif value is not None or part != "token":
            raise CredentialError(
                f"{OPTION}: expected {path} to be text that is not empty (the value is not shown)"
            )
    ends = _member(found, shape.ends)
    if "token" in parts:
        return TemporaryKey(parts["id"], parts["secret"], parts["token"], _moment(ends, shape.ends))
    if ends is not None:
        raise CredentialError(f"{OPTION}: a key with {shape.ends} needs {shape.token}, too; it printed none")
    return AccessKey(parts["id"], parts["secret"])


def _member(found: Any, path: str) -> Any:
    for name in path.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    return found


def _moment(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except ValueError:
            pass
    raise CredentialError(
        f"{OPTION}: expected {name} in Unix seconds or as 2026-01-31T12:00:00Z; got neither"
    )
