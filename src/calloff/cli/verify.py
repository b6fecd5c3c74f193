"""calloff verify."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import click

from calloff.apis import APIS, OPERATIONS
from calloff.cli.extras import require_extra
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

    from rich.console import Console

    from calloff.verify.engine import Check, Run
    from calloff.verify.target import Target


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
    from calloff.verify.given import given_target
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
                target = given_target(
                    apis,
                    base_url or "",
                    host=host,
                    project_id=project_id,
                    provider_states=provider_states,
                    settle=settle,
                    timeout=timeout,
                )
                stack.callback(target.close)
                targets = [target]
            with _ctrl_c_ends(run):
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


@contextmanager
def _ctrl_c_ends(run: Run) -> Iterator[None]:
    """Let Ctrl-C end the run also where the interrupt is lost, as in a callback of the garbage collector."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        run.interrupted = True
        signal.default_int_handler(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
