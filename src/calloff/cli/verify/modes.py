"""What ``calloff verify`` does instead of verifying: list, check the target, plan, compare, check itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.text import Text

from calloff.cli.extras import require_extra
from calloff.cli.verify.output import prepare_folder, standard_output
from calloff.cli.verify.targets import new_run, targets
from calloff.errors import InvalidInputError
from calloff.verify.target import CannotSupplyError, TargetError
from calloff.verify.wire import TargetLostError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from calloff.cli.verify.options import Options
    from calloff.verify.rehearsal import PlannedRequest
    from calloff.verify.target import Target


def list_requirements(opts: Options) -> int:
    """List the requirements that bind a server, with level, operations and what proves them."""
    from calloff.contract import load_catalogue
    from calloff.verify import selection

    catalogue, console = load_catalogue(), standard_output()
    selection.check_operations(opts.operations, opts.apis)
    wanted = selection.wanted(catalogue, opts.only, opts.level)
    for row in selection.listing(catalogue):
        if wanted is not None and row.requirement not in wanted:
            continue
        console.print(Text.assemble((row.requirement, "bold"), f"  {row.level}  {', '.join(row.operations)}"))
        console.print(Text(f"    {row.statement}"))
        proofs = row.checks if opts.only else _in_short(row.checks)
        console.print(Text(f"    proved by: {', '.join(proofs)}", style="dim"))
    return 0


def _in_short(checks: Sequence[str]) -> list[str]:
    """Count the cells of the table, of which there are many, and name the rest."""
    cells = sum(check.startswith("table/") for check in checks)
    return [
        *([f"{cells} cells of the table"] if cells else []),
        *(c for c in checks if not c.startswith("table/")),
    ]


def self_check(opts: Options) -> int:
    """Prove the suite: every wrong server is found, no right one blamed."""
    require_extra("mock")
    from calloff.cli.self_check import self_check as prove

    prepare_folder(opts.report_dir, "--report-dir")
    return prove(
        standard_output(), full=opts.full, seeds=opts.seeds, workers=opts.workers, report_dir=opts.report_dir
    )


def check_target(opts: Options) -> int:
    """Say whether the target can be verified, and with what; 0 where it can."""
    from calloff.verify.preflight import examine

    console = standard_output()
    problem = ""
    try:
        with targets(opts) as found:
            for target in found:
                examination = examine(target)
                for line in examination.lines():
                    console.print(Text(line))
                problem = problem or examination.problem
    except (CannotSupplyError, TargetError, TargetLostError) as error:
        problem = str(error)
    if problem:
        click.echo(f"calloff: cannot verify: {problem}", err=True)
        return 3
    return 0


def dry_run(opts: Options) -> int:
    """List every request that a run would send; nothing is sent."""
    run = new_run(opts)
    with targets(opts) as found:
        planned = run.rehearse(found)
    console = standard_output()
    for number, request in enumerate(planned, 1):
        parts = (
            str(number),
            f"{request.method} {request.url}",
            f"Host: {request.host}",
            request.credential,
            f"may cancel {request.job}" if request.cancels else request.job,
            request.case_id,
        )
        console.print(Text("  ".join(parts)), soft_wrap=True)
    show_plan(planned, found, console)
    return 0


def show_plan(planned: Sequence[PlannedRequest], found: Sequence[Target], console: Console) -> None:
    """Say how much will be sent where, and which jobs it may cancel."""
    jobs = list(dict.fromkeys(request.job for request in planned if request.cancels))
    where = ", ".join(target.authority for target in found)
    rate = f", at most {found[0].pace.rate:g} a second" if found[0].pace.rate else ""
    console.print(Text(f"{_counted(len(planned), 'request')} at most to {where}{rate}."))
    console.print(Text(f"{_counted(len(jobs), 'job')} may be cancelled."))
    # A placeholder stands for a job that the provider states would supply.
    if given := [job for job in jobs if not job.startswith("{")]:
        console.print(Text(f"{'They are' if len(given) > 1 else 'It is'}: {', '.join(given)}"))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def compare_with_last(opts: Options) -> int:
    """Show what changed between an earlier report and the last one."""
    from calloff.verify.compare import compare, read_report

    if opts.compare is None:
        raise InvalidInputError("give --mock, --base-url or --compare; see calloff verify --help")
    changes = compare(read_report(opts.compare), read_report(opts.report_dir / "report.json"))
    heading = f"What changed from {opts.compare} to {opts.report_dir / 'report.json'}:"
    standard_output().print(Text(f"{heading}\n{changes.to_text()}", end=""))
    return 0
