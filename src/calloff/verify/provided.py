"""Read what provider states answer, and say in a sentence what is wrong with it.

The form is that of ``spec/provider-states.openapi.yaml``; every function raises ValueError where it is not kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from calloff.verify.outcome import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.apis import Operation
    from calloff.verify.target import Keys

# What may stand in a header or a path as it is: no space, no line break, nothing that needs an encoding.
VISIBLE = re.compile("[!-~]+")
# What the members of credentials are called where their attributes are not.
_WRITTEN = {"key_id": "access_key (or secret_id)"}


def abilities(answer: Mapping[str, Any], api: str) -> Mapping[str, Any]:
    """Return what an *answer* says that can be done for *api*, as JobSource.abilities does."""
    try:
        given = answer["apis"][api]
        operations = given["operations"].items()
        states = {name: able["states"] for name, able in operations}
        finishes = tuple(name for name, able in operations if able.get("finishes") is True)
        credentials = given.get("credentials", [])
    except (KeyError, TypeError, AttributeError) as error:
        msg = (
            f"it names no states for {api}; expected under apis.{api} the members operations (with states each) and "
            "credentials"
        )
        raise ValueError(msg) from error
    if (known := answer.get("version")) != 1 or isinstance(known, bool):
        raise ValueError(f"expected version 1 of this interface, got {cut(repr(known))}")
    return {
        "operations": {name: _texts(each, f"the states of {name}") for name, each in states.items()},
        "finishes": finishes,
        "credentials": _texts(credentials, "credentials"),
    }


def job(answer: Mapping[str, Any], operation: Operation) -> tuple[str, dict[str, str], str | None]:
    """Return id, path parameters and Host of the job of *operation* that an *answer* hands out."""
    job_id, parameters, host = answer.get("job_id"), answer.get("path_parameters"), answer.get("host")
    if not (isinstance(job_id, str) and VISIBLE.fullmatch(job_id)):
        got = cut(repr(job_id)) if "job_id" in answer else f"only {sorted(answer)}"
        raise ValueError(f"expected job_id to be visible ASCII characters, got {got}")
    if not isinstance(parameters, dict):
        msg = f"expected job_id and path_parameters, an object, got {sorted(answer)}"
        raise ValueError(msg)  # noqa: TRY004 - as everything here
    for name, pattern in operation.patterns.items():
        value = parameters.get(name)
        if not (isinstance(value, str) and re.fullmatch(pattern, value)):
            raise ValueError(f"expected {name} in path_parameters to match {pattern}, got {cut(repr(value))}")
    if host is not None and not (isinstance(host, str) and VISIBLE.fullmatch(host)):
        raise ValueError(f"expected host to be a Host header, got {cut(repr(host))}")
    return job_id, {name: parameters[name] for name in operation.patterns}, host


def check_credentials(keys: Keys, kind: str) -> None:
    """Raise ValueError where *keys* lack what credentials of *kind* are made of."""
    members: tuple[str, ...] = ("token",) if kind.endswith("token") else ("key_id", "secret_key")
    if kind.endswith("temporary"):
        members += ("security_token",)
    if missing := [_WRITTEN.get(name, name) for name in members if not getattr(keys, name)]:
        verb = "is" if len(missing) == 1 else "are"
        raise ValueError(f"{' and '.join(missing)} {verb} missing, which {kind} credentials are made of")


def _texts(value: Any, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"expected {place} to be a list of texts, got {cut(repr(value))}")
    return tuple(value)
