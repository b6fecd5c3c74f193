"""Prove the suite: it finds every mutant by the requirement that it breaks, and blames no right server."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from calloff.cli.self_check import report
from calloff.cli.self_check.plan import suspects, variations
from calloff.cli.self_check.trials import run_trial
from calloff.cli.verify.output import save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from calloff.cli.self_check.trials import Result, Trial

PROVEN, FAILED, NOT_PROVEN = 0, 1, 3
SEEDS, SEEDS_WHEN_FULL = 3, 100
_LINE_EVERY = 10  # trials, where there is no terminal


def self_check(
    console: Console,
    *,
    full: bool,
    seeds: int | None = None,
    workers: int | None = None,
    report_dir: Path,
    trials: Sequence[Trial] | None = None,
) -> int:
    """Try every mutant and every right server, print and write the result, and return the exit status.

    Args:
        console: where progress and tables go.
        full: let each layer look for each mutant by itself, and try pairs of choices too.
        seeds: how many seeds each dialect is tried with; None for 3, or 100 when *full*.
        workers: how many processes try; None for one per CPU, 0 for this one alone.
        report_dir: where self-check.json and self-check.md go; it exists.
        trials: what to try instead of everything.

    Returns:
        0 every mutant was found and no right server blamed, 1 not so, 3 it ended before everything was tried.
    """
    count = seeds or (SEEDS_WHEN_FULL if full else SEEDS)
    processes = (os.cpu_count() or 1) if workers is None else workers
    if trials is None:
        # Right servers first: the disturbed among them take longest.
        trials = [*variations(full=full, seeds=count), *suspects(full=full)]
    began, started = datetime.now(UTC), time.monotonic()
    done: dict[int, list[Result]] = {}
    stopped = ""
    with _progress(console, len(trials)) as advance:

        def note(index: int, results: list[Result]) -> None:
            done[index] = results
            advance(done)

        try:
            if processes:
                _run_in_processes(trials, processes, note)
            else:
                for index, trial in enumerate(trials):
                    note(index, run_trial(trial))
        except KeyboardInterrupt:
            stopped = "interrupted"
        except Exception as error:  # noqa: BLE001 - what was found so far must be told whatever happens
            stopped = f"the self-check itself failed: {type(error).__name__}: {error}"
    if stopped:
        stopped += f"; {len(done)} of {len(trials)} trials were done"
    results = _in_order(done)
    status = NOT_PROVEN if stopped else FAILED if report.problems(results) else PROVEN
    found = report.data(
        results,
        full=full,
        seeds=count,
        workers=processes,
        began=began,
        seconds=time.monotonic() - started,
        stopped=stopped,
        exit_status=status,
    )
    pages = {
        report_dir / "self-check.json": json.dumps(found, indent=1) + "\n",
        report_dir / "self-check.md": report.to_markdown(found),
    }
    written, problem = save(pages)
    report.show(found, console)
    if written:
        console.print(f"Reports: {', '.join(map(str, written))}")
    if problem:
        click.echo(f"calloff: {problem}", err=True)
        return NOT_PROVEN
    return status


def _in_order(done: Mapping[int, Sequence[Result]]) -> list[Result]:
    return [result for index in sorted(done) for result in done[index]]


def _run_in_processes(
    trials: Sequence[Trial], processes: int, note: Callable[[int, list[Result]], None]
) -> None:
    context = multiprocessing.get_context("spawn")
    others = {child.pid for child in multiprocessing.active_children()}
    pool = ProcessPoolExecutor(processes, context, initializer=_leave_ctrl_c_to_the_parent)
    try:
        with _ctrl_c_held_back():
            futures = {pool.submit(run_trial, trial): index for index, trial in enumerate(trials)}
        for future in as_completed(futures):
            note(futures[future], future.result())
    except BaseException:
        # Nobody waits for what is being tried.
        for child in multiprocessing.active_children():
            if child.pid not in others:
                child.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _ctrl_c_held_back() -> Iterator[None]:
    """Let what is started inside begin its life with Ctrl-C blocked; one pressed meanwhile comes afterwards.

    A child is told to leave it alone only once it has imported everything, which takes a second.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[Mapping[int, Sequence[Result]]], None]]:
    """Show a bar on a terminal, and a line every few trials elsewhere."""
    if console.is_terminal:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("self-check", total=total)
            yield lambda _: bar.advance(task)
        return
    began = time.monotonic()

    def count(done: Mapping[int, Sequence[Result]]) -> None:
        if len(done) % _LINE_EVERY == 0 or len(done) == total:
            bad = len(report.problems(_in_order(done)))
            console.print(f"{len(done)} of {total} tried, {bad} problems, {time.monotonic() - began:.0f} s")

    yield count
