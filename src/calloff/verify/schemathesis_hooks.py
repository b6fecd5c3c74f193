"""Hooks for a plain ``schemathesis run``: sign what leaves, keep what was signed out of every report.

Set ``SCHEMATHESIS_HOOKS=calloff.verify.schemathesis_hooks``. Credentials come from ``CALLOFF_ACCESS_KEY``,
``CALLOFF_SECRET_KEY``, ``CALLOFF_SECURITY_TOKEN`` and ``CALLOFF_TOKEN``, else from the provider states at
``CALLOFF_PROVIDER_STATES``; with those every well-formed request names a fresh job. ``CALLOFF_PROJECT_ID`` is the
project (DLI), ``CALLOFF_HOST`` the Host header, ``CALLOFF_API`` the API where the document's servers do not tell.

A generated request carries a placeholder. ``requests`` asks for the credential when everything else of the request
is final, and the placeholder is back before schemathesis sees the answer: what it prints, records and caches holds
neither token nor signature. Where schemathesis took the placeholder out, it means to send no credential.
"""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import schemathesis

from calloff.apis import APIS, OPERATIONS
from calloff.errors import InvalidInputError
from calloff.verify.fuzz_cases import request_of
from calloff.verify.given import given_target
from calloff.verify.recipes import RECIPES, Draft
from calloff.verify.redact import Redactor
from calloff.verify.shapes import JOB_STATES
from calloff.verify.target import CannotSupplyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests import PreparedRequest

    from calloff.apis import Operation
    from calloff.verify.recipes import Recipe
    from calloff.verify.target import Job, Target

PLACEHOLDER = "calloff-writes-the-credential"
_CREDENTIAL_HEADERS = {"token": "X-Auth-Token", "good": "Authorization", "temporary": "Authorization"}
_WRITTEN_HERE = (*_CREDENTIAL_HEADERS.values(), "X-Sdk-Date", "X-Security-Token", "x-ci-security-token")


def operation_of(case: Any, named: str = "") -> Operation | None:
    """Return the operation that *case* calls, or None where it is none of the five.

    *named* is the API, needed where two APIs share a path and the document's servers do not tell them apart.
    Raises InvalidInputError where that is not known.
    """
    if named and named not in APIS:
        msg = f"CALLOFF_API: expected one of {', '.join(APIS)}, got {named!r}"
        raise InvalidInputError(msg)
    found = [
        operation
        for operation in OPERATIONS.values()
        if operation.path == case.operation.path and named in {"", operation.api}
    ]
    if len(found) > 1:
        servers = [str(server.get("url")) for server in case.operation.schema.raw_schema.get("servers", ())]
        found = [operation for operation in found if f"https://{APIS[operation.api].host}" in servers]
        if len(found) != 1:
            msg = f"several APIs have {case.operation.path}; set CALLOFF_API to one of {', '.join(APIS)}"
            raise InvalidInputError(msg)
    return found[0] if found else None


class Signer:
    """Writes the credential of *target* into a request that is otherwise final, and takes it out again."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.recipe = _recipe(target)
        self.header = _CREDENTIAL_HEADERS[self.recipe.credentials]

    def sign(self, prepared: PreparedRequest, host: str | None) -> PreparedRequest:
        """Complete the headers of *prepared*, and authenticate it where it carries the placeholder."""
        # Here and not in the case: schemathesis looks again at what is wrong with a case that a hook has changed.
        if host:
            prepared.headers["Host"] = host
        if self.target.api.name == "huaweicloud-dli":
            prepared.headers.setdefault("Content-Type", "application/json")
        if prepared.headers.get(self.header) != PLACEHOLDER:
            return prepared
        for name in _WRITTEN_HERE:
            prepared.headers.pop(name, None)
        before = request_of(prepared)
        keys = self.target.credentials(self.recipe.credentials)
        signed = self.recipe.build(Draft(before, keys, self.target.now(), before.target))
        prepared.headers.update(signed.headers[len(before.headers) :])
        prepared.register_hook("response", lambda response, **_: conceal(response.request))
        return prepared


def _recipe(target: Target) -> Recipe:
    """Return the first way to authenticate that the target's keys allow."""
    keys = target.keys
    kind = "token" if keys.token else "temporary" if keys.security_token else "good"
    return next(row for row in RECIPES[target.api.name] if row.accepted and row.credentials == kind)


def conceal(request: PreparedRequest) -> None:
    """Put the placeholder where a credential stands."""
    for name in set(_WRITTEN_HERE) - {"X-Sdk-Date"}:
        if name in request.headers:
            request.headers[name] = PLACEHOLDER


class Hooks:
    """What schemathesis calls; one target, made when the first request tells the API and the base URL."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._signers: dict[tuple[str, str], Signer] = {}
        # Provider states answer one request at a time, schemathesis may have several workers.
        self._lock = threading.Lock()

    def before_load_schema(self, _: Any, schema: dict[str, Any]) -> None:
        """Take out links into other documents: schemathesis follows none, and ends with an error over them."""
        for response in schema.get("components", {}).get("responses", {}).values():
            links = response.get("links", {})
            for name in [n for n, link in links.items() if not link.get("operationRef", "#").startswith("#")]:
                del links[name]

    def before_call(self, _: Any, case: Any, kwargs: dict[str, Any]) -> None:
        """Give a well-formed case a fresh job, and have the request signed when it is final."""
        signer = self.signer(case)
        if signer is None:
            return
        well_formed = case.meta is None or not case.meta.generation.mode.is_negative
        job = self._supply(case, signer.target) if well_formed else None
        host = (job and job.host) or signer.target.host
        kwargs["auth"] = lambda prepared: signer.sign(prepared, host)

    def after_call(self, _: Any, case: Any, response: Any) -> None:
        """Take secrets out of an answer that shows them."""
        signer = self.signer(case)
        if signer is None:
            return
        redactor = Redactor(signer.target.secrets())
        response.content = redactor.text(response.content.decode("latin-1")).encode("latin-1")
        for name, values in response.headers.items():
            response.headers[name] = [redactor.text(value) for value in values]

    def after_network_error(self, _: Any, __: Any, request: PreparedRequest) -> None:
        """Take the credential out of a request that got no answer."""
        conceal(request)

    def signer(self, case: Any) -> Signer | None:
        """Return the signer for what *case* calls, or None where that is none of the five operations."""
        operation = operation_of(case, self._environment.get("CALLOFF_API", ""))
        if operation is None:
            return None
        with self._lock:
            key = (operation.api, case.operation.base_url)
            if key not in self._signers:
                self._signers[key] = Signer(
                    given_target(
                        [operation.api],
                        case.operation.base_url,
                        host=self._environment.get("CALLOFF_HOST"),
                        project_id=self._environment.get("CALLOFF_PROJECT_ID"),
                        provider_states=self._environment.get("CALLOFF_PROVIDER_STATES"),
                        environment=self._environment,
                    )
                )
            return self._signers[key]

    def _supply(self, case: Any, target: Target) -> Job | None:
        """Put a fresh job into the path, or at least the own project: any other is refused before the id is seen."""
        operation = operation_of(case, target.api.name)
        if operation is None:
            return None
        if "project_id" in operation.patterns:
            case.path_parameters = {**case.path_parameters, "project_id": target.keys.project_id}
        if target.states is None:
            return None
        try:
            with self._lock:
                job = target.new_job(operation, JOB_STATES[operation.key].cancellable[-1])
        except CannotSupplyError:
            return None
        case.path_parameters = {name: quote(value, safe="") for name, value in job.parameters.items()}
        return job


def register(environment: Mapping[str, str] = os.environ) -> None:
    """Register the hooks for this process."""
    hooks = Hooks(environment)

    @schemathesis.auth(refresh_interval=None)
    class Placeholder:
        """Marks the cases that carry a credential: without one, schemathesis takes what it finds for made up."""

        def get(self, case: Any, _: Any) -> Signer | None:
            return hooks.signer(case)

        def set(self, case: Any, signer: Signer, _: Any) -> None:
            case.headers[signer.header] = PLACEHOLDER

    # schemathesis writes attributes onto what it registers, which a method does not take.
    for name in ("before_load_schema", "before_call", "after_call", "after_network_error"):
        schemathesis.hook(name)(partial(getattr(hooks, name)))


register()
