"""calloff whoami."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import click
import cloup

from calloff.answers import told_by_api
from calloff.apis import APIS, ApiName
from calloff.cli.connection import (
    ConnectionOptions,
    client_from,
    connection_options,
    credential_options,
    look_for_credential,
)
from calloff.clients import AsyncTencentCiClient
from calloff.credential_sources import named_by
from calloff.errors import (
    AuthenticationError,
    CalloffError,
    InvalidInputError,
    PermissionDeniedError,
    RefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.cli.connection import AsyncClient
    from calloff.credential_sources import Found, Search

# No job has it, and it is within the patterns of all five operations.
_NO_JOB = "00000000-0000-0000-0000-000000000000"

Verdict = Literal["accepted", "refused", "unknown"]


class Check(NamedTuple):
    """What the service made of the credential."""

    verdict: Verdict
    reason: str


@cloup.command(
    "whoami",
    context_settings={"max_content_width": 100},
    epilog="Example: calloff whoami otc-dli --check. Exit status: 0 there is a credential, 2 there is none or it "
    "makes no sense, 1 the service did not accept it (--check).",
)
@cloup.argument("api", required=False, type=click.Choice(list(APIS)))
@connection_options
@credential_options
@cloup.option("--check", is_flag=True, help="Ask the service, by reading the state of a job that is none.")
@cloup.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def command(*, api: ApiName | None, check: bool, output: str, **given: Any) -> None:
    """Show which credential would be used, where it comes from, and what else was looked at.

    Without API all three are shown. No secret is shown, and without --check nothing is sent.
    """
    options = ConnectionOptions.take(given)
    if api is None and (options.names_a_credential or options.base_url or check):
        raise InvalidInputError("say for which API: calloff whoami API, one of " + ", ".join(APIS))
    rows = []
    for name in [api] if api else APIS:
        search = look_for_credential(name, options)
        result = _checked(name, options, search.found) if check and search.found else None
        rows.append((search, result))
    if output == "json":
        click.echo(json.dumps([_data(search, result) for search, result in rows], indent=1))
    else:
        click.echo("\n\n".join(_text(search, result) for search, result in rows))
    if not any(search.found for search, _ in rows):
        sys.exit(2)
    if any(result and result.verdict != "accepted" for _, result in rows):
        sys.exit(1)


def _checked(api: ApiName, options: ConnectionOptions, found: Found) -> Check:
    client = client_from(api, options, found)
    return asyncio.run(_ask(client))


async def _ask(client: AsyncClient) -> Check:
    """Read the state of a job that is none: who may not ask is told so before what is wrong with the job."""
    async with client:
        try:
            if isinstance(client, AsyncTencentCiClient):
                await client.ai_job(_NO_JOB)
            else:
                await client.sql_job_status(_NO_JOB)
        except RefusedError as error:
            if not told_by_api(error):
                return Check("unknown", f"{error}, and not in the words of the API; is it the right server?")
            return Check("accepted", f"it answered {error.status}: there is no such job")
        except AuthenticationError as error:
            return Check("refused", str(error))
        except PermissionDeniedError as error:
            return Check("refused", f"it knows the credential, or may; it denies this call: {error}")
        except CalloffError as error:
            return Check("unknown", str(error))
    return Check("accepted", "it answered with a state")


def _data(search: Search, check: Check | None) -> dict[str, Any]:
    found = search.found
    credential = found and {
        "source": found.source,
        "identity": found.identity,
        "project_id": found.project_id or None,
        "region": found.region or None,
        "expires_at": None if found.expires_at is None else _moment(found.expires_at),
    }
    return {
        "api": search.api,
        "credential": credential,
        "problem": search.problem or None,
        "looked_at": [{"source": each.source, "verdict": each.verdict} for each in search.looked],
        "check": check and check._asdict(),
    }


def _text(search: Search, check: Check | None) -> str:
    lines = []
    if found := search.found:
        lines += [("credential", f"{found.identity}, from {found.source}")]
        if search.api != "tencent-ci":
            lines += [("project", found.project_id or f"none; {_set(found, 'project_id')}")]
        lines += [("region", found.region or f"none; {_set(found, 'region')}")]
        if found.expires_at is not None:
            left = (found.expires_at - time.time()) / 60
            lines += [("expires", f"{_moment(found.expires_at)}, in {left:.0f} minutes")]
    else:
        lines += [("problem", search.problem)]
    if check:
        lines += [("the service", f"{_VERDICTS[check.verdict]}: {check.reason}")]
    lines += [("looked at", f"{each.source}: {each.verdict}") for each in search.looked]
    shown = "\n".join(f"  {name:<13} {value}" for name, value in lines)
    return f"{search.api}\n{shown}"


_VERDICTS: Mapping[Verdict, str] = {
    "accepted": "accepts it",
    "refused": "does not accept it",
    "unknown": "could not be asked",
}


def _set(found: Found, member: str) -> str:
    return f"give --{member.replace('_', '-')}, or set {named_by(found.source, member)}"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
