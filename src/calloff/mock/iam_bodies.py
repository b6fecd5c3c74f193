"""Reading what a call to the identity service says; what makes no sense is refused in its words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from calloff.mock.iam_errors import IamError
from calloff.mock.json_app import JsonError

if TYPE_CHECKING:
    from calloff.mock.json_app import JsonRequest


def content_of(request: JsonRequest) -> Any:
    """Read the body as JSON; raise IamError where it is none."""
    try:
        return request.json()
    except JsonError as error:
        raise IamError("IAM.0011") from error


def member(content: Any, name: str) -> dict[str, Any]:
    """Read a member that must be an object; raise IamError where it is absent or something else."""
    found = _found(content, name)
    if not isinstance(found, dict):
        raise IamError("IAM.0011")
    return found


def text(content: Any, name: str) -> str:
    """Read a member that must be text; raise IamError where it is absent or something else."""
    found = _found(content, name)
    if not isinstance(found, str):
        raise IamError("IAM.0011")
    return found


def names(wanted: dict[str, Any], known: dict[str, str]) -> bool:
    """Tell whether an id, a name or both name what is known; raise IamError where neither is there."""
    given = {name: text(wanted, name) for name in known if name in wanted}
    if not given:
        raise IamError("IAM.0011")
    return all(known[name] == value for name, value in given.items())


def query_of(request: JsonRequest) -> list[tuple[str, str]]:
    """List the parameters of a call; a bare name has an empty value."""
    return parse_qsl(request.query.decode("latin-1"), keep_blank_values=True)


def _found(content: Any, name: str) -> Any:
    if not isinstance(content, dict):
        raise IamError("IAM.0011")
    if name not in content:
        raise IamError("IAM.0072", key=name)
    return content[name]
