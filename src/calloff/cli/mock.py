"""calloff mock."""

from __future__ import annotations

import json
from typing import Any

import click

from calloff.apis import APIS
from calloff.cli.extras import require_extra


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
    help="Port of the provider states; the APIs and IAM take the next five. 0 takes free ones.",
)
@click.option(
    "--dialect",
    "choices",
    multiple=True,
    metavar="POINT=CHOICE",
    help="Choose where the vendor is silent; repeatable. --list-dialects shows what there is.",
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
@click.option("--json", "as_json", is_flag=True, help="Announce as one line of JSON instead of text.")
@click.option("--list-mutants", is_flag=True, help="List the mutants and end; with --json as data.")
@click.option(
    "--list-dialects",
    is_flag=True,
    help="List the silent points and their choices and end; with --json as data.",
)
def command(
    *,
    apis: tuple[str, ...],
    host: str,
    port: int,
    choices: tuple[str, ...],
    mutant: str | None,
    seed: int,
    as_json: bool,
    list_mutants: bool,
    list_dialects: bool,
) -> None:
    """Serve the APIs on this machine, with job state and signature checks.

    The server listens on loopback, one port per API, and keeps everything in memory. Stop it with Ctrl-C.
    """
    require_extra("mock")
    from calloff.mock.dialects import parse_dialect
    from calloff.mock.server import announcement_line, serve

    if list_mutants:
        _list_mutants(as_json=as_json)
        return
    if list_dialects:
        _list_dialects(as_json=as_json)
        return

    def announce(announcement: dict[str, Any]) -> None:
        click.echo(announcement_line(announcement) if as_json else _as_text(announcement))

    serve(
        apis,
        announce=announce,
        host=host,
        port=port,
        dialect=parse_dialect(choices),
        mutant=mutant,
        seed=seed,
    )


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
        "",
        "Stop with Ctrl-C.",
    ]
    return "\n".join(lines)


def _list_mutants(*, as_json: bool) -> None:
    from calloff.mock.mutants import MUTANTS

    rows = [
        {
            "name": mutant.name,
            "requirement": mutant.requirement,
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
        click.echo(f"{row['name']:<40} {row['requirement']:<40} {row['description']}")


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
