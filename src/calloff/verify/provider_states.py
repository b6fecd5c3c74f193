"""Ask a server for jobs in a known state and for credentials; make targets of what one announces."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from calloff.apis import APIS
from calloff.verify import provided
from calloff.verify.target import CannotSupplyError, Job, Keys, Target, TargetError
from calloff.verify.wire import Address, NoAnswerError, Request, Wire
from calloff.verify.wires import Wires

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from calloff.apis import Operation
    from calloff.verify.wires import Sender


@dataclass
class ProviderStates:
    """Ask the target for jobs and credentials, as ``spec/provider-states.openapi.yaml`` describes.

    *timeout* is in seconds, *tls* holds the authorities that are trusted, by default those of the system. *sender*
    takes what is asked in place of connections to *url*.
    """

    reads_state: ClassVar[bool] = True

    url: str
    timeout: float = 10.0
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    sender: Sender | None = field(default=None, repr=False)
    _address: Address = field(init=False, repr=False)
    _wires: Sender = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._address = Address.parse(self.url)
        self._wires = Wires(self._new_wire) if self.sender is None else self.sender

    def abilities(self, api: str) -> Mapping[str, Any]:
        """Return the states per operation and the credential kinds that the target can bring about."""
        answer = self._call("GET", "")
        try:
            return provided.abilities(answer, api)
        except ValueError as error:
            msg = f"GET {self.url}: {error}"
            raise TargetError(msg) from error

    def new_job(
        self,
        operation: Operation,
        state: str,
        owner: str,
        *,
        spend: bool = True,  # noqa: ARG002 - every job is a fresh one
        besides: str = "",  # noqa: ARG002
        finishes_after: float | None = None,
    ) -> Job:
        """Make a fresh job of *operation* in *state* that belongs to *owner*, self or other."""
        wanted: dict[str, Any] = {"api": operation.api, "operation": operation.name, "state": state}
        wanted["owner"] = owner
        if finishes_after is not None:
            wanted["finishes_after"] = finishes_after
        answer = self._call("POST", "/jobs", wanted)
        try:
            return Job(*provided.job(answer, operation))
        except ValueError as error:
            msg = f"POST {self.url}/jobs: {error}"
            raise TargetError(msg) from error

    def spend(self, operation: Operation, job_id: str) -> None:
        """Do nothing: every job is a fresh one."""

    def state(self, operation: Operation, job_id: str) -> str:
        """Return the state of a job in the vendor's own words."""
        answer = self._call("GET", f"/jobs/{operation.api}/{operation.name}/{quote(job_id, safe='')}")
        if not isinstance(answer.get("state"), str):
            msg = f"GET {self.url}/jobs/...: expected a state, got {sorted(answer)}"
            raise TargetError(msg)
        return str(answer["state"])

    def credentials(self, api: str, kind: str) -> Keys:
        """Return fresh credentials of *kind*."""
        answer = self._call("POST", "/credentials", {"api": api, "kind": kind})
        try:
            keys = Keys.from_json(answer)
            provided.check_credentials(keys, kind)
        except ValueError as error:
            msg = f"POST {self.url}/credentials for {kind}: {error}"
            raise TargetError(msg) from error
        return keys

    def close(self) -> None:
        """Close the connection."""
        self._wires.close()

    def _new_wire(self) -> Wire:
        return Wire(self._address, self.timeout, self.tls)

    def _call(self, method: str, path: str, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = json.dumps(data).encode() if data is not None else b""
        headers = [("Host", self._address.authority), ("Content-Length", str(len(body)))]
        if body:
            headers.append(("Content-Type", "application/json"))
        try:
            response = self._wires.send(Request(method, self._address.prefix + path, tuple(headers), body))
        except NoAnswerError as error:
            # A server that is gone is told as such.
            self._new_wire().send_nothing()
            msg = f"{method} {self.url}{path}: {error}"
            raise TargetError(msg) from error
        try:
            answer = json.loads(response.body) if response.body else {}
        except (ValueError, RecursionError):
            answer = None
        reason = answer.get("error", "") if isinstance(answer, dict) else ""
        if response.status == 501:
            wanted = f" {data}" if data else ""
            msg = f"the target cannot bring about{wanted}: {reason or 'it answers 501'}"
            raise CannotSupplyError(msg)
        if response.status not in {200, 201} or not isinstance(answer, dict):
            msg = f"{method} {self.url}{path}: expected 200 or 201 with a JSON object, got {response.status} {reason}"
            raise TargetError(msg.rstrip())
        return answer


def announced_targets(
    announcement: Mapping[str, Any],
    *,
    settle: float = 2.0,
    timeout: float = 10.0,
    tls: ssl.SSLContext | None = None,
) -> list[Target]:
    """Return a target for each API that ``calloff mock --json``, or a server like it, announces.

    *settle* and *timeout* are in seconds, as of Target; so is *tls*.
    """
    return [
        Target(
            api,
            (announced := announcement["apis"][name])["base_url"],
            Keys.from_json({"project_id": announced.get("project_id", ""), **announced["credentials"]}),
            announced.get("host"),
            ProviderStates(announcement["provider_states_url"], timeout, tls),
            timeout,
            settle,
            tls,
        )
        for name, api in APIS.items()
        if name in announcement["apis"]
    ]
