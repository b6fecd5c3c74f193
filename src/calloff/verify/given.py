"""Make a target of what a user gives: options, and credentials in the environment."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from calloff.apis import APIS
from calloff.errors import InvalidInputError
from calloff.verify.target import CannotSupplyError, Keys, ProviderStates, Target
from calloff.verify.wire import Address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from calloff.apis import Api

VARIABLES = {
    name: f"CALLOFF_{name.upper()}" for name in ("access_key", "secret_key", "security_token", "token")
}


def given_target(
    apis: Sequence[str],
    base_url: str,
    *,
    host: str | None = None,
    project_id: str | None = None,
    provider_states: str | None = None,
    settle: float = 2.0,
    timeout: float = 10.0,
    environment: Mapping[str, str] = os.environ,
) -> Target:
    """Return the target that the options describe; *settle* and *timeout* are in seconds.

    Credentials come from the environment, else from the provider states. Raises InvalidInputError, which names
    the option or variable to change, and CannotSupplyError where the provider states have no credentials.
    """
    if len(apis) != 1:
        msg = f"--base-url verifies one API; give --api once, one of {', '.join(APIS)}"
        raise InvalidInputError(msg)
    api = APIS[apis[0]]  # type: ignore[index]
    for url in filter(None, (base_url, provider_states)):
        try:
            Address.parse(url)
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
    if host is not None and not re.fullmatch("[!-~]+", host):
        msg = f"expected --host to be a Host header, got {host!r}"
        raise InvalidInputError(msg)
    states = ProviderStates(provider_states, timeout) if provider_states else None
    target = Target(api, base_url, _keys(project_id, environment), host, states, timeout, settle)
    try:
        if not target.keys.usable:
            target.keys = _supplied_keys(target)
        _check_project(api, target.keys)
    except BaseException:
        target.close()
        raise
    return target


def _keys(project_id: str | None, environment: Mapping[str, str]) -> Keys:
    given = {name: environment[variable] for name, variable in VARIABLES.items() if environment.get(variable)}
    pair = {"access_key", "secret_key"}
    if (pair & given.keys() and not pair <= given.keys()) or given.keys() == {"security_token"}:
        msg = f"{VARIABLES['access_key']} and {VARIABLES['secret_key']} go together"
        raise InvalidInputError(msg)
    try:
        return Keys.from_json({**given, "project_id": project_id or ""})
    except ValueError as error:
        msg = f"CALLOFF_* in the environment, or --project-id: {error}"
        raise InvalidInputError(msg) from error


def _supplied_keys(target: Target) -> Keys:
    """Return the first credentials that the provider states can supply."""
    if target.states is None:
        msg = (
            f"no credential: set {' and '.join(VARIABLES.values())} as the server needs, or --provider-states"
        )
        raise InvalidInputError(msg)
    reasons = []
    for kind in ("good", "token", "temporary"):
        try:
            return target.credentials(kind)
        except CannotSupplyError as error:
            reasons.append(str(error))
    raise CannotSupplyError("; ".join(dict.fromkeys(reasons)))


def _check_project(api: Api, keys: Keys) -> None:
    patterns = next(iter(api.operations.values())).patterns
    if "project_id" in patterns and not keys.project_id:
        msg = f"{api.name} needs --project-id, the project that the credentials belong to"
        raise InvalidInputError(msg)
