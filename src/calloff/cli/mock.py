"""calloff mock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from calloff.apis import APIS
from calloff.cli.extras import require_extra
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from calloff.mock.disturbances import Parameter


@click.command("mock", epilog="Example: calloff mock --api otc-dli --dialect dli-unknown-job=404-dli-0023")
@click.option(
    "--api", "apis", multiple=True, type=click.Choice(list(APIS)), help="Serve only this API; repeatable."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8600,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of provider states and control; the APIs and IAM take the next four. 0 takes free ones.",
)
@click.option(
    "--dialect",
    "choices",
    multiple=True,
    metavar="POINT=CHOICE",
    help="Choose where the vendor is silent; repeatable. --list-dialects shows what there is.",
)
@click.option(
    "--dialect-from",
    "profile",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Behave like the server whose profile calloff verify --profile wrote.",
)
@click.option(
    "--mutant", metavar="NAME", help="Break one requirement on purpose. --list-mutants shows what there is."
)
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0, 2**63 - 1),
    help="Makes ids and keys repeatable.",
)
@click.option(
    "--disturb",
    "disturbances",
    multiple=True,
    metavar="KIND[:KEY=VALUE,...]",
    help="Disturb requests, as in latency:seconds=0.05; repeatable. --list-disturbances shows what there is.",
)
@click.option(
    "--tls", is_flag=True, help="Speak TLS, with a certificate made now; the announcement names its CA."
)
@click.option(
    "--tls-certificate",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Speak TLS with this certificate (PEM).",
)
@click.option(
    "--tls-key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Private key of that certificate (PEM, no password).",
)
@click.option(
    "--speed",
    default=0.0,
    show_default=True,
    metavar="N",
    type=click.FloatRange(0, 1e6),
    help="Let jobs run and finish by themselves: at 1 in seconds to minutes, at 10 ten times faster. At 0 they stay "
    "where they are put, as a suite needs it.",
)
@click.option(
    "--state",
    "state_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keep jobs and credentials in this SQLite file: whatever was acknowledged outlives a crash.",
)
@click.option(
    "--jobs",
    multiple=True,
    metavar="API/OPERATION[:STATE]=COUNT[@FILE]",
    help="Make jobs at the start and write their ids to FILE, one per line; repeatable. STATE is the first one that "
    "can be cancelled where it is left out.",
)
@click.option(
    "--request-timeout",
    metavar="SECONDS",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=0, min_open=True),
    help="Close connections whose request, or handshake of TLS, takes longer to arrive.",
)
@click.option("--json", "as_json", is_flag=True, help="Announce as one line of JSON instead of text.")
@click.option("--list-mutants", is_flag=True, help="List the mutants and end; with --json as data.")
@click.option(
    "--list-dialects",
    is_flag=True,
    help="List the silent points and their choices and end; with --json as data.",
)
@click.option(
    "--list-disturbances",
    is_flag=True,
    help="List the disturbances and their parameters and end; with --json as data.",
)
def command(
    *,
    apis: tuple[str, ...],
    host: str,
    port: int,
    choices: tuple[str, ...],
    profile: Path | None,
    mutant: str | None,
    seed: int,
    disturbances: tuple[str, ...],
    tls: bool,
    tls_certificate: Path | None,
    tls_key: Path | None,
    speed: float,
    state_file: Path | None,
    jobs: tuple[str, ...],
    request_timeout: float,
    as_json: bool,
    list_mutants: bool,
    list_dialects: bool,
    list_disturbances: bool,
) -> None:
    """Serve the APIs on this machine, with job state and signature checks.

    The server listens on loopback, one port per API, and keeps everything in memory, unless --state names a file.
    Stop it with Ctrl-C.
    """
    require_extra("mock")
    from calloff.mock.dialects import parse_dialect, read_profile
    from calloff.mock.disturbances import parse_disturbance
    from calloff.mock.jobs_wanted import parse_jobs
    from calloff.mock.server import announcement_line, serve
    from calloff.mock.tls import Tls

    if list_mutants:
        _list_mutants(as_json=as_json)
        return
    if list_dialects:
        _list_dialects(as_json=as_json)
        return
    if list_disturbances:
        _list_disturbances(as_json=as_json)
        return
    if profile and choices:
        raise InvalidInputError("give --dialect or --dialect-from, not both")
    if tls and tls_certificate:
        raise InvalidInputError("--tls makes a certificate; leave it out where --tls-certificate gives one")

    def announce(announcement: dict[str, Any]) -> None:
        click.echo(announcement_line(announcement) if as_json else _as_text(announcement))

    serve(
        apis,
        announce=announce,
        host=host,
        port=port,
        dialect=read_profile(profile, note=_note) if profile else parse_dialect(choices),
        mutant=mutant,
        seed=seed,
        disturbances=[parse_disturbance(text) for text in disturbances],
        tls=Tls(tls_certificate, tls_key) if tls or tls_certificate or tls_key else None,
        request_seconds=request_timeout,
        speed=speed,
        state_file=state_file,
        jobs=[parse_jobs(text) for text in jobs],
    )


def _note(text: str) -> None:
    click.echo(text, err=True)


def _as_text(announcement: dict[str, Any]) -> str:
    lines = ["The mock serves (test credentials, worth nothing elsewhere):", ""]
    for name, api in announcement["apis"].items():
        lines.append(f"{name:<16} {api['base_url']}")
        place = {key: api[key] for key in ("host", "project_id") if key in api}
        lines += [f"    {key:<12} {value}" for key, value in (place | api["credentials"]).items()]
    iam = announcement["iam"]
    lines += [
        f"{'IAM':<16} {announcement['iam_url']}",
        *(f"    {key:<12} {value}" for key, value in iam.items()),
        f"{'provider states':<16} {announcement['provider_states_url']}",
        f"{'control':<16} {announcement['control_url']}",
        f"{'page to watch':<16} {announcement['page_url']}",
        *([f"{'CA':<16} {announcement['ca_file']}"] if "ca_file" in announcement else []),
        "",
        "Stop with Ctrl-C.",
    ]
    return "\n".join(lines)


def _list_mutants(*, as_json: bool) -> None:
    from calloff.contract import load_catalogue
    from calloff.mock.mutants import MUTANTS

    requirements = load_catalogue().requirements
    rows = [
        {
            "name": mutant.name,
            "requirement": mutant.requirement,
            "level": requirements[mutant.requirement].level,
            "operations": list(mutant.operations),
            "description": mutant.description,
            "prototype": mutant.prototype,
        }
        for mutant in MUTANTS.values()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        click.echo(f"{row['name']:<40} {row['requirement']:<40} {row['level']:<7} {row['description']}")


def _list_dialects(*, as_json: bool) -> None:
    from calloff.contract import silent_points

    points = silent_points()
    if as_json:
        rows = [
            {"id": p.id, "operations": list(p.operations), "choices": list(p.choices), "default": p.default}
            for p in points.values()
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    for point in points.values():
        click.echo(f"{point.id}: {point.question}")
        for choice, meaning in point.choices.items():
            default = " (default)" if choice == point.default else ""
            click.echo(f"    {choice}{default}: {meaning}")


def _list_disturbances(*, as_json: bool) -> None:
    from calloff.mock.control import kinds
    from calloff.mock.disturbances import COMMON, KINDS

    if as_json:
        click.echo(json.dumps(kinds(), indent=1))
        return
    for name, kind in KINDS.items():
        click.echo(f"{name}: {kind.meaning}")
        _list_parameters(kind.parameters)
    click.echo(
        f"Every kind but {', '.join(name for name, kind in KINDS.items() if kind.server_wide)} also takes:"
    )
    _list_parameters(COMMON)


def _list_parameters(parameters: Mapping[str, Parameter]) -> None:
    for key, parameter in parameters.items():
        default = "" if parameter.default is None else f", {parameter.shown_default} without"
        click.echo(f"    {key}: {parameter.meaning} ({parameter.expected}{default})")
