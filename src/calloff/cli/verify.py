"""calloff verify."""

from __future__ import annotations

import os
import re
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import click

from calloff.apis import APIS, OPERATIONS
from calloff.cli.extras import require_extra
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from calloff.verify.engine import Check, Run
    from calloff.verify.target import Keys, Target

_ENVIRONMENT = {
    name: f"CALLOFF_{name.upper()}" for name in ("access_key", "secret_key", "security_token", "token")
}


@click.command(
    "verify",
    epilog="Credentials come from CALLOFF_ACCESS_KEY, CALLOFF_SECRET_KEY, CALLOFF_SECURITY_TOKEN and CALLOFF_TOKEN, "
    "else from the provider states. Exit status: 0 conforms, 1 a MUST is violated, 2 wrong usage, "
    "3 could not verify.",
)
@click.option("--mock", is_flag=True, help="Verify the embedded mock, all five operations.")
@click.option(
    "--api",
    "apis",
    multiple=True,
    type=click.Choice(list(APIS)),
    help="The API to verify; with --mock repeatable.",
)
@click.option("--base-url", metavar="URL", help="Where the server under test listens.")
@click.option("--host", metavar="HOST", help="Host header to send, where it differs from the base URL's.")
@click.option("--project-id", metavar="ID", help="The project that the credentials belong to (DLI).")
@click.option("--provider-states", metavar="URL", help="Where the server supplies jobs in a wanted state.")
@click.option(
    "--operation", "operations", multiple=True, metavar="NAME", help="Verify only this operation; repeatable."
)
@click.option(
    "--layer",
    "layers",
    multiple=True,
    type=click.Choice(["table", "races", "model", "fuzz"]),
    help="Run only this layer; repeatable.",
)
@click.option("--seed", default=0, show_default=True, help="Of the random layers.")
@click.option(
    "--settle",
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    type=click.FloatRange(0, 3600),
    help="How long an accepted cancel may take to show.",
)
@click.option(
    "--timeout",
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    type=click.FloatRange(0.1, 3600),
    help="How long an answer may take.",
)
@click.option("--strict", is_flag=True, help="A violated SHOULD counts too.")
@click.option(
    "--report-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("calloff-report"),
    show_default=True,
    help="Where report.json, report.html and junit.xml go.",
)
@click.option(
    "--dialect", "choices", multiple=True, metavar="POINT=CHOICE", help="With --mock: as of calloff mock."
)
@click.option("--mutant", metavar="NAME", help="With --mock: as of calloff mock.")
def command(
    *,
    mock: bool,
    apis: tuple[str, ...],
    base_url: str | None,
    host: str | None,
    project_id: str | None,
    provider_states: str | None,
    operations: tuple[str, ...],
    layers: tuple[str, ...],
    seed: int,
    settle: float,
    timeout: float,
    strict: bool,
    report_dir: Path,
    choices: tuple[str, ...],
    mutant: str | None,
) -> None:
    """Prove that a server cancels as its contract says.

    Either --mock, or --api and --base-url of the server under test. Without --provider-states the server supplies
    no jobs, and what needs one is skipped visibly.
    """
    require_extra("verify")
    if mock == bool(base_url):
        msg = "give either --mock or --base-url (with --api); see calloff verify --help"
        raise InvalidInputError(msg)
    if not mock and (choices or mutant):
        msg = "--dialect and --mutant bend the embedded mock; give them with --mock, or to calloff mock"
        raise InvalidInputError(msg)
    if mock and (host or project_id or provider_states):
        msg = "--host, --project-id and --provider-states describe the server at --base-url; the mock has its own"
        raise InvalidInputError(msg)
    _check_operations(operations, apis)
    _prepare_folder(report_dir)
    from rich.console import Console

    from calloff.contract import load_catalogue
    from calloff.verify.engine import LAYERS, Run
    from calloff.verify.target import CannotSupplyError, TargetError, announced_targets
    from calloff.verify.wire import TargetLostError

    # A terminal that cannot show a character shows another; the report must not fail over it.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    console = Console(file=sys.stdout, soft_wrap=not sys.stdout.isatty(), highlight=False)
    chosen = [layer for layer in LAYERS if not layers or layer in layers]
    run = Run(load_catalogue(), seed=seed, layers=chosen, operations=operations)
    try:
        with ExitStack() as stack:
            if mock:
                announcement = _start_mock(stack, apis, choices, mutant)
                targets = announced_targets(announcement, settle=settle, timeout=timeout)
            else:
                target = _given_target(
                    apis, base_url or "", host, project_id, provider_states, settle, timeout
                )
                stack.callback(target.close)
                if not target.keys.usable:
                    target.keys = _supplied_keys(target)
                _check_project(target)
                targets = [target]
            _verify(run, targets, console)
        status = run.exit_status(strict=strict)
        _report(run, status, report_dir, console)
    except (CannotSupplyError, TargetError, TargetLostError) as error:
        click.echo(f"calloff: could not verify: {error}", err=True)
        sys.exit(3)
    except KeyboardInterrupt:
        # Not while checks ran: the run ends by itself then, and is reported.
        click.echo("calloff: could not verify: interrupted", err=True)
        sys.exit(3)
    sys.exit(status)


def _start_mock(
    stack: ExitStack, apis: Sequence[str], choices: Sequence[str], mutant: str | None
) -> Mapping[str, Any]:
    require_extra("mock")
    from calloff.mock.dialects import parse_dialect
    from calloff.mock.server import run_embedded

    server = stack.enter_context(run_embedded(apis, dialect=parse_dialect(choices), mutant=mutant))
    return server.announcement


def _given_target(
    apis: Sequence[str],
    base_url: str,
    host: str | None,
    project_id: str | None,
    provider_states: str | None,
    settle: float,
    timeout: float,
) -> Target:
    from calloff.verify.target import Keys, ProviderStates, Target
    from calloff.verify.wire import Address

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
    given = {
        name: os.environ[variable] for name, variable in _ENVIRONMENT.items() if os.environ.get(variable)
    }
    pair = {"access_key", "secret_key"}
    if (pair & given.keys() and not pair <= given.keys()) or given.keys() == {"security_token"}:
        msg = f"{_ENVIRONMENT['access_key']} and {_ENVIRONMENT['secret_key']} go together"
        raise InvalidInputError(msg)
    try:
        keys = Keys.from_json({**given, "project_id": project_id or ""})
    except ValueError as error:
        msg = f"CALLOFF_* in the environment, or --project-id: {error}"
        raise InvalidInputError(msg) from error
    if not given and states is None:
        msg = f"no credential: set {' and '.join(_ENVIRONMENT.values())} as the server needs, or --provider-states"
        raise InvalidInputError(msg)
    return Target(api, base_url, keys, host, states, timeout, settle)


def _check_project(target: Target) -> None:
    patterns = next(iter(target.api.operations.values())).patterns
    if "project_id" in patterns and not target.keys.project_id:
        msg = f"{target.api.name} needs --project-id, the project that the credentials belong to"
        raise InvalidInputError(msg)


def _supplied_keys(target: Target) -> Keys:
    """Return the first credentials that the provider states can supply."""
    from calloff.verify.target import CannotSupplyError

    reasons = []
    for kind in ("good", "token", "temporary"):
        try:
            return target.credentials(kind)
        except CannotSupplyError as error:
            reasons.append(str(error))
    raise CannotSupplyError("; ".join(dict.fromkeys(reasons)))


def _check_operations(names: Sequence[str], apis: Sequence[str]) -> None:
    offered = [op for op in OPERATIONS.values() if not apis or op.api in apis]
    known = {name for op in offered for name in (op.name, op.key)}
    if unknown := [name for name in names if name not in known]:
        msg = f"no operation {unknown[0]!r}; there are: {', '.join(sorted(known))}"
        raise InvalidInputError(msg)


def _prepare_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        msg = f"cannot write reports to {folder}: {error.strerror}; give another --report-dir"
        raise InvalidInputError(msg) from error


def _verify(run: Run, targets: Sequence[Target], console: Console) -> None:
    """Run the suite with a progress bar on a terminal and without one elsewhere."""
    if not console.is_terminal:
        run.verify(targets)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=None)

        def show(check: Check, done: int, total: int) -> None:
            progress.update(task, description=check.operation.key, completed=done, total=total)

        run.verify(targets, show)


def _report(run: Run, status: int, folder: Path, console: Console) -> None:
    from calloff.verify.reports import data, html, junit, terminal

    report = data.report(run, exit_status=status)
    pages = {
        "report.json": data.to_json(report),
        "report.html": html.to_html(report),
        "junit.xml": junit.to_junit(report),
    }
    unwritten = ""
    try:
        for name, text in pages.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        unwritten = error.strerror or str(error)
    # Where the reader of the output has gone, rich ends the program; the exit status is still the run's.
    with suppress(SystemExit):
        terminal.show(report, console)
        if not unwritten:
            console.print(f"Reports: {', '.join(str(folder / name) for name in pages)}")
    if unwritten:
        click.echo(f"calloff: the report could not be written to {folder}: {unwritten}", err=True)
        sys.exit(3)
