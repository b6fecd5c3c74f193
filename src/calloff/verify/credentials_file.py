"""Credentials that a user gives by reference: ``env:NAME`` or ``file:PATH``, in options and in a TOML file.

In the file, ``[otc-dli]`` holds the credentials in use: ``access_key`` (or ``secret_id``), ``secret_key``,
``security_token``, ``token``, ``project_id``. ``[otc-dli.kinds.expired-token]`` and its like hold what the provider
states of a server would supply besides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from calloff.apis import APIS
from calloff.errors import InvalidInputError
from calloff.references import resolve
from calloff.verify.given_file import read_toml
from calloff.verify.recipes import RECIPES
from calloff.verify.target import Keys

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OPTION = "--credentials"
SECRET_MEMBERS = ("secret_key", "security_token", "token")
PLAIN_MEMBERS = ("access_key", "secret_id", "project_id")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a credentials file says of one API: the keys in use, and others by kind."""

    keys: Keys = field(default_factory=Keys)
    kinds: Mapping[str, Keys] = field(default_factory=dict)


def read_credentials(path: Path, api: str, environment: Mapping[str, str]) -> Credentials:
    """Return what the TOML file *path* says of *api*; nothing where it does not name it.

    Raises InvalidInputError, which names table and member and shows no value, where the file is not as it should be.
    """
    tables = read_toml(path, OPTION)
    for name, table in tables.items():
        if name not in APIS:
            raise _wrong(name, f"expected one of {', '.join(APIS)} as table")
        _table(table, name)
    if api not in tables:
        return Credentials()
    own = dict(tables[api])
    others = _table(own.pop("kinds", {}), f"{api}.kinds")
    known = {recipe.credentials for recipe in RECIPES[api]} - {"none"}
    keys = _keys(own, api, environment, path.parent)
    kinds = {}
    for kind, table in others.items():
        name = f"{api}.kinds.{kind}"
        if kind not in known:
            raise _wrong(name, f"there is no such kind; there are {', '.join(sorted(known))}")
        kinds[kind] = _keys(_table(table, name), name, environment, path.parent)
        _check_kind(kind, kinds[kind], name)
    return Credentials(keys, kinds)


def _keys(table: Mapping[str, Any], name: str, environment: Mapping[str, str], folder: Path) -> Keys:
    values: dict[str, str] = {}
    for member, reference in table.items():
        if member not in (*SECRET_MEMBERS, *PLAIN_MEMBERS):
            expected = ", ".join((*PLAIN_MEMBERS, *SECRET_MEMBERS))
            raise _wrong(name, f"there is no member {member}; there are {expected}")
        if not isinstance(reference, str):
            raise _wrong(name, f"expected {member} to be text, got {type(reference).__name__}")
        place, secret = f"{OPTION}: [{name}] {member}", member in SECRET_MEMBERS
        values[member] = resolve(reference, place, environment, secret=secret, folder=folder)
    if "access_key" in values and "secret_id" in values:
        raise _wrong(name, "access_key and secret_id are two names of one thing; give one of them")
    keys = Keys.from_json(values)
    if problem := incomplete(keys):
        raise _wrong(name, problem)
    return keys


def incomplete(keys: Keys) -> str:
    """Return what is missing of *keys*, empty where they are complete."""
    if bool(keys.key_id) != bool(keys.secret_key):
        return "access_key and secret_key go together"
    return "security_token goes with a key pair" if keys.security_token and not keys.secret_key else ""


def _check_kind(kind: str, keys: Keys, name: str) -> None:
    """Refuse what lacks that which a kind is made of: a check would send nothing, and prove nothing."""
    needed = ["token" if kind.endswith("token") else "secret_key"]
    if "temporary" in kind:
        needed = ["secret_key", "security_token"]
    if missing := [member for member in needed if not getattr(keys, member)]:
        raise _wrong(name, f"{missing[0]} is missing, which {kind} credentials are made of")


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        # Not even its type: a secret in the place of a table is the likeliest mistake.
        raise _wrong(name, "expected a table")
    return value


def _wrong(name: str, problem: str) -> InvalidInputError:
    return InvalidInputError(f"{OPTION}: [{name}]: {problem}")
