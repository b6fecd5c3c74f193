"""Read what a user points at instead of typing it: ``env:NAME``, ``file:PATH``, a file named by an option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_SECRET = 32 * 1024  # the gateway refuses a longer header (Huawei Cloud, API signing guide, 0201)
_VARIABLE = re.compile("[A-Za-z_][A-Za-z0-9_]*")


def resolve(
    reference: str,
    place: str,
    environment: Mapping[str, str],
    *,
    secret: bool = True,
    spaces: bool = False,
    folder: Path = Path(),
) -> str:
    """Return what *reference* refers to; one that is no reference is returned as it is where it is not *secret*.

    *place* names the option or the member in errors, relative paths start at *folder*. The value must be visible
    ASCII, or any text where *spaces* are allowed, as in a password. Raises InvalidInputError, which shows no value.
    """
    kind, _, name = reference.partition(":")
    if kind == "env":
        value = _variable(name, place, environment)
    elif kind == "file":
        value = _read(folder / Path(name).expanduser(), place)
    elif secret:
        raise InvalidInputError(
            f"{place}: expected a reference, env:NAME or file:PATH; what is given is not shown, since it may be "
            "the secret itself"
        )
    else:
        value = reference
    return value if spaces else _visible(value, place)


def read_bytes(path: Path, option: str, largest: int) -> bytes:
    """Return the content of *path*; raise InvalidInputError, naming *option*, where it cannot be read.

    A file of more than *largest* bytes is refused, so that a device that never ends is too.
    """
    problem = ""
    content = b""
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or "no file can have that name"
    if not problem and len(content) > largest:
        problem = f"it has more than {largest} bytes"
    if problem:
        raise InvalidInputError(f"{option}: cannot read {str(path)!r}: {problem}")
    return content


def _variable(name: str, place: str, environment: Mapping[str, str]) -> str:
    if not _VARIABLE.fullmatch(name):
        raise InvalidInputError(f"{place}: expected the name of an environment variable after env:")
    if not (value := environment.get(name)):
        lack = "not set" if value is None else "empty"
        raise InvalidInputError(f"{place}: the environment variable {name} is {lack}")
    return value


def _read(path: Path, place: str) -> str:
    content = read_bytes(path, place, LARGEST_SECRET)
    # Outside a handler: the error of a failed decoding carries the content.
    text = content.decode("utf-8", "replace").rstrip("\r\n")
    if not text:
        raise InvalidInputError(f"{place}: {str(path)!r} is empty")
    return text


def _visible(value: str, place: str) -> str:
    if not re.fullmatch("[!-~]+", value):
        raise InvalidInputError(
            f"{place}: expected visible ASCII characters without a space or line break (the value is not shown)"
        )
    return value
