"""The identity service that DLI's tokens come from.

Sources: OTC-IAM and HW-IAM (obtaining a user token, querying projects), Keystone form of errors.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from calloff.mock.json_app import JsonAnswer, JsonApp, JsonError, JsonRequest

if TYPE_CHECKING:
    from calloff.mock.state import Account, ServerState

TOKEN_SECONDS = 24 * 3600.0  # HW-DLI 认证鉴权; OTC-IAM
_TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    413: "Payload Too Large",
}
_INVALID = "The request body is invalid"
_WRONG = "The username or password is wrong."


class Iam(JsonApp):
    """Give out tokens for the account of a server, and tell its projects."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def answer(self, request: JsonRequest) -> JsonAnswer:
        """Answer one call."""
        match request.method, request.path:
            case "POST", "/v3/auth/tokens":
                return self._token(request)
            case "GET", "/v3/projects":
                return self._projects(request)
            case _:
                raise JsonError(404, "The API does not exist.")

    def refuse(self, error: JsonError) -> JsonAnswer:
        """Say why, as Keystone does."""
        problem = {"code": error.status, "message": error.message, "title": _TITLES[error.status]}
        return JsonAnswer(error.status, {"error": problem}, self._trace())

    def _token(self, request: JsonRequest) -> JsonAnswer:
        account = self._state.account
        auth = _member(request.json(), "auth")
        identity = _member(auth, "identity")
        if identity.get("methods") != ["password"]:
            raise JsonError(400, _INVALID)
        user = _member(_member(identity, "password"), "user")
        _authenticate(account, user)
        scope = _member(auth, "scope")
        now = self._state.clock()
        content: dict[str, object] = {
            "methods": ["password"],
            "issued_at": _microseconds(now),
            "expires_at": _microseconds(now + TOKEN_SECONDS),
            "user": {"name": account.user, "domain": {"name": account.domain}},
            "roles": [{"name": "te_admin"}],
        }
        project = ""
        if "project" in scope:  # where both scopes stand the project wins
            project = _project(account, _member(scope, "project"))
            content["project"] = {"id": project, "name": account.project, "domain": {"name": account.domain}}
        elif "domain" in scope:
            if _text(_member(scope, "domain"), "name") != account.domain:
                raise JsonError(401, "The domain is not that of the user.")
            content["domain"] = {"name": account.domain}
        else:
            raise JsonError(400, _INVALID)
        if b"nocatalog" not in request.query.replace(b"=", b"&").split(b"&"):
            content["catalog"] = []
        token = self._state.new_token(project, lifetime=TOKEN_SECONDS)
        headers = [(b"x-subject-token", token.value.encode()), *self._trace()]
        return JsonAnswer(201, {"token": content}, headers)

    def _projects(self, request: JsonRequest) -> JsonAnswer:
        token = self._state.tokens.find(request.headers.get(b"x-auth-token", b"").decode("latin-1"))
        if token is None:
            raise JsonError(401, "The token is invalid.")
        if self._state.clock() >= token.ends:
            raise JsonError(401, "The token has expired.")
        account = self._state.account
        names = parse_qs(request.query.decode("latin-1")).get("name")
        own = {"id": account.project_id, "name": account.project, "enabled": True}
        return JsonAnswer(
            200, {"projects": [own] if names is None or account.project in names else []}, self._trace()
        )

    def _trace(self) -> list[tuple[bytes, bytes]]:
        return [(b"x-iam-trace-id", self._state.ids.hex32().encode())]


def _authenticate(account: Account, user: dict[str, Any]) -> None:
    given = (_text(user, "name"), _text(user, "password"), _text(_member(user, "domain"), "name"))
    expected = (account.user, account.password, account.domain)
    if not all(
        hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
        for one, other in zip(given, expected, strict=True)
    ):
        raise JsonError(401, _WRONG)


def _project(account: Account, project: dict[str, Any]) -> str:
    known = {"id": account.project_id, "name": account.project}
    given = {name: _text(project, name) for name in known if name in project}
    if not given:
        raise JsonError(400, _INVALID)
    if any(known[name] != value for name, value in given.items()):
        raise JsonError(401, "The user has no role in the project.")
    return account.project_id


def _member(content: Any, name: str) -> dict[str, Any]:
    found = content.get(name) if isinstance(content, dict) else None
    if not isinstance(found, dict):
        raise JsonError(400, _INVALID)
    return found


def _text(content: dict[str, Any], name: str) -> str:
    found = content.get(name)
    if not isinstance(found, str):
        raise JsonError(400, _INVALID)
    return found


def _microseconds(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
