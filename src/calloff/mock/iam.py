"""The identity service that tokens and temporary keys come from; one for both clouds.

Sources: OTC-IAM and HW-IAM ("Obtaining a User Token Through Password Authentication", "Verifying a Token",
"Deleting a User Token", "Querying Project Information", "Querying Keystone API Version Information",
"Obtaining a Temporary AK/SK").
"""

from __future__ import annotations

import hmac
import json
import logging
import math
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from calloff.mock.dli.errors import dli_errors
from calloff.mock.dli.verify import signature_steps
from calloff.mock.iam_bodies import content_of, member, names, query_of, text
from calloff.mock.iam_errors import SUBJECT_NOT_FOUND, GatewayError, IamError, keystone_error
from calloff.mock.json_app import JsonAnswer, JsonApp, JsonError, JsonRequest
from calloff.mock.keys import Keys
from calloff.mock.pipeline import Case, Exchange, NotKeptError, Refusal, check_signature
from calloff.mock.state import REGIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.keys import Key, Scope, Token
    from calloff.mock.pipeline import Claim
    from calloff.mock.state import ServerState

    Handler = Callable[[JsonRequest], JsonAnswer]

TOKEN_SECONDS = 24 * 3600.0  # HW-DLI 认证鉴权; OTC-IAM
KEY_SECONDS = (900, 86400)  # a temporary key lives from 15 minutes to 24 hours; the shorter is the default
_TOKENS, _TEMPORARY_KEYS = "/v3/auth/tokens", "/v3.0/OS-CREDENTIAL/securitytokens"
_VERSION = {
    "status": "stable",
    "updated": "2016-04-04T00:00:00Z",
    "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    "id": "v3.6",
}
_PROJECT_FILTERS = frozenset({"domain_id", "name", "parent_id", "enabled", "is_domain"})
_log = logging.getLogger("calloff.mock")


class _Wanted(NamedTuple):
    """What a token is wanted for; ``granted`` where the user may have it."""

    scope: Scope
    project: str = ""
    project_name: str = ""
    granted: bool = True


class Iam(JsonApp):
    """Give out tokens and temporary keys for the account of a server, and tell its projects."""

    def __init__(self, state: ServerState) -> None:
        self._state = state
        self._ids = {name: state.ids.hex32() for name in ("iam", "dli", *REGIONS)}
        steps = signature_steps(Keys(), derived="otc-dli" in state.apis)
        self._signature = replace(steps, find_key=self._find_key)
        self._handlers: dict[tuple[str, str], Handler] = {
            ("POST", _TOKENS): self._create_token,
            ("GET", _TOKENS): self._show_token,
            ("HEAD", _TOKENS): self._check_token,
            ("DELETE", _TOKENS): self._delete_token,
            ("POST", _TEMPORARY_KEYS): self._create_temporary_key,
            ("GET", "/v3/projects"): self._projects,
            ("GET", "/v3/auth/projects"): self._projects,
            ("GET", "/v3"): self._version,
            ("GET", "/v3/"): self._version,
            ("GET", "/"): self._versions,
        }

    def answer(self, request: JsonRequest) -> JsonAnswer:
        """Answer one call."""
        try:
            answer = self._handlers.get((request.method, request.path), _unknown)(request)
        except GatewayError as error:
            answer = JsonAnswer(error.status, error.content)
        except IamError as error:
            answer = _refused(request, error)
        except NotKeptError:
            answer = _refused(request, IamError("IAM.0006"))
        except Exception:  # noqa: BLE001 - whatever happens, the client gets an answer
            _log.exception("the mock failed; this is a fault of the mock, not of the request")
            answer = _refused(request, IamError("IAM.0006"))
        answer.headers.append((b"x-iam-trace-id", self._state.ids.hex32().encode()))
        return answer

    def refuse(self, error: JsonError) -> JsonAnswer:
        """Refuse what was not even read, as Keystone does."""
        trace = (b"x-iam-trace-id", self._state.ids.hex32().encode())
        return JsonAnswer(error.status, keystone_error(error.status, error.message), [trace])

    # --- tokens ---

    def _create_token(self, request: JsonRequest) -> JsonAnswer:
        auth = member(content_of(request), "auth")
        identity = member(auth, "identity")
        wanted = self._wanted(auth.get("scope", {}))
        now = self._state.clock()
        match identity.get("methods"):
            case ["password"]:
                self._log_in(member(member(identity, "password"), "user"), now)
                method, ends = "password", now + TOKEN_SECONDS
            case ["token"]:
                first = self._valid(text(member(identity, "token"), "id"))
                if not self._is_own(first):
                    raise IamError("IAM.0064")
                method, ends = "token", first.ends
            case _:
                raise IamError("IAM.0011")
        if not wanted.granted:
            raise IamError("IAM.0064")
        token = self._state.new_token(
            wanted.project,
            lifetime=ends - now,
            scope=wanted.scope,
            project_name=wanted.project_name,
            method=method,
        )
        answer = JsonAnswer(201, {"token": self._described(token, request)})
        answer.headers.append((b"x-subject-token", token.value.encode()))
        return answer

    def _log_in(self, user: dict[str, Any], now: float) -> None:
        """Check name and password of the user; wrong ones in a row lock the user for a while."""
        account, login = self._state.account, self._state.login
        given = (text(user, "name"), text(member(user, "domain"), "name"), text(user, "password"))
        same = [
            hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
            for one, other in zip(given, (account.user, account.domain, account.password), strict=True)
        ]
        known = same[0] and same[1]
        if known and login.locked(now):
            raise IamError("IAM.0061")
        if not all(same):
            if known:
                login.failed(now)
            raise IamError("IAM.0062")
        login.failures = 0

    def _wanted(self, scope: Any) -> _Wanted:
        """Read the scope of a token; an empty one is good for global services, so for no project."""
        account = self._state.account
        domain = {"id": account.domain_id, "name": account.domain}
        if not isinstance(scope, dict):
            raise IamError("IAM.0011")
        if "project" in scope:  # where both scopes stand the project wins
            wanted = member(scope, "project")
            granted = "domain" not in wanted or names(member(wanted, "domain"), domain)
            fits = [names(wanted, {"id": account.project_id, "name": name}) for name in REGIONS.values()]
            name = next((name for name, fit in zip(REGIONS.values(), fits, strict=True) if fit), "")
            return _Wanted("project", account.project_id, name, granted and any(fits))
        if "domain" in scope:
            return _Wanted("domain", granted=names(member(scope, "domain"), domain))
        if scope:
            raise IamError("IAM.0011")
        return _Wanted("none")

    def _show_token(self, request: JsonRequest) -> JsonAnswer:
        token = self._subject(request)
        answer = JsonAnswer(200, {"token": self._described(token, request)})
        answer.headers.append((b"x-subject-token", token.value.encode()))
        return answer

    def _check_token(self, request: JsonRequest) -> JsonAnswer:
        self._subject(request)
        return JsonAnswer(200)

    def _delete_token(self, request: JsonRequest) -> JsonAnswer:
        self._state.tokens.drop(self._subject(request, though_ended=True))
        return JsonAnswer(204)

    def _subject(self, request: JsonRequest, *, though_ended: bool = False) -> Token:
        """Find the token that a call is about; a user may ask about the user's own only."""
        own = self._is_own(self._token(request))
        value = request.headers.get(b"x-subject-token")
        if not value:
            raise IamError("IAM.0009")
        token = self._state.tokens.find(value.decode("latin-1"))
        if token is None or (self._state.clock() >= token.ends and not though_ended):
            raise IamError("IAM.0009", row=SUBJECT_NOT_FOUND)
        if self._is_own(token) is not own:
            raise IamError("IAM.0002")
        return token

    def _described(self, token: Token, request: JsonRequest) -> dict[str, object]:
        account = self._state.account
        domain = self._domain(token.project)
        user = {"id": account.user_id, "name": account.user}
        if not self._is_own(token):  # one that the provider states handed out
            user = {"id": domain["id"], "name": "other-user"}
        ends = token.ends if token.ends < math.inf else self._state.clock() + TOKEN_SECONDS
        content: dict[str, object] = {
            "methods": [token.method],
            "issued_at": _microseconds(token.issued),
            "expires_at": _microseconds(ends),
            "user": {**user, "domain": domain, "password_expires_at": ""},
            "roles": [{"id": "0", "name": "te_admin"}],
        }
        if token.scope == "project":
            name = token.project_name or account.project
            content["project"] = {"id": token.project, "name": name, "domain": domain}
        elif token.scope == "domain":
            content["domain"] = domain
        if "nocatalog" not in dict(query_of(request)):
            content["catalog"] = self._catalog(token, request)
        return content

    def _catalog(self, token: Token, request: JsonRequest) -> list[dict[str, object]]:
        """List the services a token is good for: DLI belongs to projects.

        The entry of DLI has the type under which OTC's own SDK looks for it. No public text shows its
        address, so it is the one below which the paths of all its calls begin.
        """

        def endpoint(name: str, region: str, url: str) -> dict[str, str]:
            return {
                "id": self._ids[name],
                "interface": "public",
                "region": region,
                "region_id": region,
                "url": url,
            }

        identity = endpoint("iam", "*", f"{self._base(request)}/v3")
        catalog: list[dict[str, object]] = [
            {"id": self._ids["iam"], "name": "iam", "type": "identity", "endpoints": [identity]}
        ]
        if token.scope == "project":
            places = [
                endpoint(api, region, self._state.endpoints[api])
                for api, region in REGIONS.items()
                if api in self._state.endpoints
            ]
            catalog.append({"id": self._ids["dli"], "name": "dli", "type": "dli", "endpoints": places})
        return catalog

    # --- temporary keys ---

    def _create_temporary_key(self, request: JsonRequest) -> JsonAnswer:
        identity = member(member(content_of(request), "auth"), "identity")
        proof = identity.get("token", {})
        if not isinstance(proof, dict):
            raise IamError("IAM.0011")
        match identity.get("methods"):
            case ["token"] if b"x-auth-token" in request.headers or "id" not in proof:
                token = self._token(request)  # wins over an id in the body
            case ["token"]:
                token = self._valid(text(proof, "id"))
            case ["assume_role"]:  # of an agency: the user has none
                self._token(request)
                raise IamError("IAM.0002")
            case None:
                raise IamError("IAM.0072", key="methods")
            case _:
                raise IamError("IAM.0011")
        seconds = proof.get("duration_seconds", identity.get("duration_seconds", KEY_SECONDS[0]))
        if type(seconds) is not int or not KEY_SECONDS[0] <= seconds <= KEY_SECONDS[1]:
            raise IamError("IAM.0073", key="duration_seconds", value=json.dumps(seconds)[:64])
        if not isinstance(identity.get("policy", {}), dict):
            raise IamError("IAM.0011")
        # A policy can only name actions of the object storage, so a key under one is good for no project.
        owner = "" if "policy" in identity else token.project or self._state.account.project_id
        key = self._state.new_iam_key(owner, lifetime=seconds)
        return JsonAnswer(
            201,
            {
                "credential": {
                    "access": key.id,
                    "secret": key.secret.decode(),
                    "expires_at": _microseconds(key.ends),
                    "securitytoken": key.security_token,
                }
            },
        )

    # --- projects and versions ---

    def _projects(self, request: JsonRequest) -> JsonAnswer:
        base, project_id = self._base(request), self._caller(request)
        domain_id = self._domain(project_id)["id"]
        projects = [
            {
                "id": project_id,
                "name": name,
                "description": "",
                "domain_id": domain_id,
                "parent_id": domain_id,
                "enabled": True,
                "is_domain": False,
                "links": {"self": f"{base}/v3/projects/{project_id}"},
            }
            for name in REGIONS.values()
        ]
        for name, value in query_of(request):
            if name in _PROJECT_FILTERS:
                projects = [each for each in projects if json.dumps(each[name]).strip('"') == value]
        query = "?" + request.query.decode("latin-1") if request.query else ""
        links = {"self": f"{base}{request.path}{query}", "previous": None, "next": None}
        return JsonAnswer(200, {"links": links, "projects": projects})

    def _version(self, request: JsonRequest) -> JsonAnswer:
        return JsonAnswer(200, {"version": self._described_version(request)})

    def _versions(self, request: JsonRequest) -> JsonAnswer:
        return JsonAnswer(300, {"versions": {"values": [self._described_version(request)]}})

    def _described_version(self, request: JsonRequest) -> dict[str, object]:
        return {**_VERSION, "links": [{"rel": "self", "href": f"{self._base(request)}/v3/"}]}

    def _base(self, request: JsonRequest) -> str:
        """Give the address of this service: as announced, else as the client calls it."""
        host = request.headers.get(b"host", b"").decode("latin-1")
        return self._state.endpoints.get("iam") or f"http://{host}"

    # --- who calls ---

    def _caller(self, request: JsonRequest) -> str:
        """Give the project of the caller, who shows a token or signs with an access key."""
        if b"x-auth-token" not in request.headers and b"authorization" in request.headers:
            return self._signer(request)
        return self._token(request).project or self._state.account.project_id

    def _signer(self, request: JsonRequest) -> str:
        """Check an SDK-HMAC-SHA256 signature; the gateway before IAM refuses it as it does before DLI."""
        exchange = Exchange(
            request.method,
            request.path.encode(),
            request.query,
            [*request.headers.items()],
            self._state.clock(),
        )
        exchange.body = request.body
        try:
            return check_signature(self._signature, exchange, locks=True).owner
        except Refusal as refusal:
            row = dli_errors("huaweicloud-dli", self._state.dialect, batch=False)[refusal.case]
            content: dict[str, object] = {"error_msg": row.message, "error_code": row.code}
            raise GatewayError(row.status, {**content, "request_id": self._state.ids.hex32()}) from refusal

    def _find_key(self, _exchange: Exchange, claim: Claim) -> Key:
        for api in self._state.apis:
            if api in REGIONS and (key := self._state.keys[api].find(claim.key_id)):
                return key
        raise Refusal(Case.AUTH_UNKNOWN_KEY)

    def _token(self, request: JsonRequest) -> Token:
        value = request.headers.get(b"x-auth-token")
        if not value:
            raise IamError("IAM.0001")
        return self._valid(value.decode("latin-1"))

    def _valid(self, value: str) -> Token:
        token = self._state.tokens.find(value)
        if token is None:
            raise IamError("IAM.0067")
        if self._state.clock() >= token.ends:
            raise IamError("IAM.0066")
        return token

    def _domain(self, project_id: str) -> dict[str, str]:
        account = self._state.account
        if project_id in {"", account.project_id}:
            return {"id": account.domain_id, "name": account.domain}
        return {"id": project_id[::-1], "name": "other-domain"}

    def _is_own(self, token: Token) -> bool:
        return token.project in {"", self._state.account.project_id}


def _unknown(request: JsonRequest) -> JsonAnswer:
    raise IamError("IAM.0004", target="API", id=request.path[:200])


def _refused(request: JsonRequest, error: IamError) -> JsonAnswer:
    return JsonAnswer(error.status, error.content(coded=request.path.startswith("/v3.0/")))


def _microseconds(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
