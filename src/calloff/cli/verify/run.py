"""Verify, show what was found, and write the reports."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.text import Text

from calloff.cli.verify.modes import show_plan
from calloff.cli.verify.output import prepare_folder, save, standard_output
from calloff.cli.verify.targets import new_run, targets
from calloff.verify import expectations, profile
from calloff.verify.compare import Comparison, compare, read_report
from calloff.verify.reports import data, html, junit, markdown, terminal
from calloff.verify.reports.progress import progress
from calloff.verify.target import CannotSupplyError, TargetError
from calloff.verify.wire import TargetLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from calloff.cli.verify.options import Options
    from calloff.verify.engine import Run

NOT_VERIFIED = 3


def verify(opts: Options) -> int:
    """Run the suite and return the exit status."""
    known = expectations.load(opts.expectations) if opts.expectations else ()
    before = read_report(opts.compare) if opts.compare else None
    run = new_run(opts)
    if opts.writes_reports:
        prepare_folder(opts.report_dir, "--report-dir")
    if opts.profile:
        prepare_folder(opts.profile.parent, "--profile")
    console = standard_output()
    with _ctrl_c_ends(run):
        try:
            with targets(opts) as found:
                if opts.live:
                    show_plan(run.rehearse(found), found, console)
                with progress(Console(stderr=True)) as show:
                    run.verify(found, _unless_nobody_looks(show))
        except (CannotSupplyError, TargetError, TargetLostError) as error:
            click.echo(f"calloff: could not verify: {error}", err=True)
            return NOT_VERIFIED
        status = run.exit_status(strict=opts.strict, expectations=known)
        report = data.report(run, exit_status=status, strict=opts.strict, expectations=known)
        changes = compare(before, report) if before else None
        if not _write(run, report, changes, opts, console):
            return NOT_VERIFIED
        return status


def _unless_nobody_looks(show: Callable[..., None]) -> Callable[..., None]:
    """Let a run go on when the reader of its progress has gone; rich would end the program."""

    def call(*arguments: object) -> None:
        with suppress(SystemExit, OSError):
            show(*arguments)

    return call


def _write(
    run: Run, report: dict[str, Any], changes: Comparison | None, opts: Options, console: Console
) -> bool:
    """Show and write everything; tell whether every file could be written."""
    files = {}
    if opts.writes_reports:
        files = {
            opts.report_dir / "report.json": data.to_json(report),
            opts.report_dir / "report.html": html.to_html(report),
            opts.report_dir / "junit.xml": junit.to_junit(report),
            opts.report_dir / "summary.md": _summary(report, changes),
        }
    if opts.profile:
        files[opts.profile] = profile.write(run)
    written, problem = save(files)
    # Where the reader of the output has gone, rich ends the program; the exit status is still the run's.
    with suppress(SystemExit):
        terminal.show(report, console)
        if changes is not None:
            console.print(Text(f"\nWhat changed since {opts.compare}:\n{changes.to_text()}", end=""))
        if not opts.writes_reports:
            console.print("No report files: --case writes them only with --report-dir.")
        if written:
            console.print(f"Reports: {', '.join(map(str, written))}")
    if problem:
        click.echo(f"calloff: {problem}", err=True)
    return not problem


def _summary(report: dict[str, Any], changes: Comparison | None) -> str:
    return markdown.to_markdown(report) + (f"\n{changes.to_markdown()}" if changes else "")


@contextmanager
def _ctrl_c_ends(run: Run) -> Iterator[None]:
    """Let Ctrl-C end the run, once: what was found is then written, however often it is pressed.

    It ends the run also where the interrupt is lost, as in a callback of the garbage collector.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        if run.interrupted or run.ended:
            return
        run.interrupt()
        signal.default_int_handler(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
