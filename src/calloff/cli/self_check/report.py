"""Show what a self-check found: as one plain structure, in a terminal, and as Markdown."""

from __future__ import annotations

from collections import defaultdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from calloff.apis import OPERATIONS
from calloff.cli.self_check.trials import COLUMNS, Finding, Verdict
from calloff.contract import load_catalogue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from calloff.cli.self_check.trials import Result

FORMAT_VERSION = 1
_LETTERS = {column: column[0].upper() for column in COLUMNS}
_SHOWN_BLAMES = 3
_WIDE = 160


def data(
    results: Sequence[Result],
    *,
    full: bool,
    seeds: int,
    workers: int,
    began: datetime,
    seconds: float,
    stopped: str,
    exit_status: int,
) -> dict[str, Any]:
    """Return the whole result as JSON-able data."""
    mutants = _mutants([result for result in results if isinstance(result, Finding)])
    verdicts = [result for result in results if isinstance(result, Verdict)]
    cells = [cell for mutant in mutants for cell in mutant["operations"].values()]
    return {
        "format": FORMAT_VERSION,
        "suite": {"name": "calloff", "version": version("calloff"), "catalogue": load_catalogue().digest},
        "date": began.isoformat(timespec="seconds"),
        "mode": "full" if full else "default",
        "seeds": seeds,
        "workers": workers,
        "seconds": round(seconds, 1),
        "stopped": stopped,
        "exit_status": exit_status,
        "totals": {
            "mutants": len(mutants),
            "mutants_by_operation": len(cells),
            "found": sum(any(cell["found"].values()) for cell in cells),
            "found_by": {
                column: sum(bool(cell["found"].get(column)) for cell in cells) for column in COLUMNS
            },
            "right_servers": len(verdicts),
            "requests_to_right_servers": sum(verdict.requests for verdict in verdicts),
            "not_blamed": sum(verdict.well for verdict in verdicts),
        },
        "mutants": mutants,
        "choices": _choices(verdict for verdict in verdicts if verdict.variation.kind == "choice"),
        "others": _others(verdict for verdict in verdicts if verdict.variation.kind != "choice"),
        "problems": problems(results),
    }


def problems(results: Sequence[Result]) -> list[str]:
    """Return a sentence for each mutant that was not found and each right server that was blamed."""
    sentences = []
    for mutant in _mutants([result for result in results if isinstance(result, Finding)]):
        for operation, cell in mutant["operations"].items():
            if any(cell["found"].values()):
                continue
            instead = (
                f"only {', '.join(cell['blamed'])} is violated" if cell["blamed"] else "nothing is violated"
            )
            fault = f"; {cell['fault']}" if cell["fault"] else ""
            sentences.append(
                f"mutant {mutant['name']} on {operation} is not found: expected {mutant['requirement']} "
                f"to be violated, {instead}{fault}"
            )
    bad: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    for verdict in (result for result in results if isinstance(result, Verdict) and not result.well):
        variation = verdict.variation
        bad[variation.kind, variation.name, variation.api].append(verdict)
    for (kind, name, api), verdicts in bad.items():
        seeds = ", ".join(str(seed) for seed in sorted({verdict.variation.seed for verdict in verdicts}))
        sentences.append(f"{kind} {name} ({api}, seed {seeds}): {_wrong(verdicts[0])}")
    return sentences


def _wrong(verdict: Verdict) -> str:
    more = len(verdict.blamed) - _SHOWN_BLAMES
    return "; ".join(
        [
            *(f"blamed for {blame}" for blame in verdict.blamed[:_SHOWN_BLAMES]),
            *([f"and {more} more"] if more > 0 else []),
            *(f"not recorded: {text}" for text in verdict.unrecorded),
            *([verdict.fault] if verdict.fault else []),
        ]
    )


def _mutants(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Put together what the columns found, each mutant once, in the order given."""
    rows: dict[str, dict[str, Any]] = {}
    for finding in findings:
        suspect = finding.suspect
        row = rows.setdefault(
            suspect.mutant,
            {
                "name": suspect.mutant,
                "requirement": suspect.requirement,
                "level": load_catalogue().requirements[suspect.requirement].level,
                "operations": {},
            },
        )
        cell = row["operations"].setdefault(finding.operation, {"found": {}, "blamed": [], "fault": ""})
        cell["found"] |= finding.found
        cell["blamed"] = sorted({*cell["blamed"], *finding.blamed})
        cell["fault"] = cell["fault"] or finding.fault
    return list(rows.values())


def _choices(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        for chosen in verdict.variation.choices.items():
            rows[chosen].append(verdict)
    points = load_catalogue().silent_points
    order = [(point.id, choice) for point in points.values() for choice in point.choices]
    return [
        {
            "point": point,
            "choice": choice,
            "default": choice == points[point].default,
            "recorded": _recorded(point, choice, rows[point, choice]),
            **_counts(rows[point, choice]),
        }
        for point, choice in order
        if (point, choice) in rows
    ]


def _recorded(point: str, choice: str, verdicts: Sequence[Verdict]) -> bool | None:
    """Tell whether the choice was recorded in every run; None where no suite could see it."""
    asked = [verdict for verdict in verdicts if point in verdict.variation.records]
    wanted = f"{point}: expected {choice},"
    return all(not line.startswith(wanted) for v in asked for line in v.unrecorded) if asked else None


def _others(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        pairs = verdict.variation.kind == "pair"
        name = "makes every pair of choices" if pairs else verdict.variation.name
        rows[name, verdict.variation.api].append(verdict)
    return [{"target": name, "api": api, **_counts(found)} for (name, api), found in rows.items()]


def _counts(verdicts: Sequence[Verdict]) -> dict[str, int]:
    return {
        "runs": len(verdicts),
        "requests": sum(verdict.requests for verdict in verdicts),
        "blamed": sum(bool(verdict.blamed or verdict.fault) for verdict in verdicts),
    }


def figures(report: Mapping[str, Any]) -> list[str]:
    """Return the figures of *report*, a sentence each."""
    totals = report["totals"]
    by = ", ".join(f"{column} {count}" for column, count in totals["found_by"].items())
    how = "each layer by itself" if report["mode"] == "full" else "one layer after the other until found"
    lines = [
        f"{totals['mutants']} mutants, {totals['found']} of {totals['mutants_by_operation']} mutants by operation "
        f"found ({how}: {by})",
        f"{totals['right_servers']} runs against right servers ({report['seeds']} seeds, "
        f"{totals['requests_to_right_servers']} requests), {totals['not_blamed']} neither blamed nor mistaken",
        f"{report['date']}, calloff {report['suite']['version']}, {report['seconds']:.0f} s with "
        f"{report['workers']} workers",
    ]
    return [*lines, *([f"stopped: {report['stopped']}"] if report["stopped"] else [])]


def show(report: Mapping[str, Any], console: Console) -> None:
    """Print *report*; where there is no terminal, as wide as it needs to be."""
    if not console.is_terminal:
        console = Console(file=console.file, width=_WIDE, soft_wrap=True, highlight=False)
    for table in (_kill_matrix(report), _dialect_table(report), _other_table(report)):
        if table.row_count:
            console.print(table)
    for problem in report["problems"]:
        console.print(Text(f"BAD  {problem}", style="bold red"))
    for line in figures(report):
        console.print(Text(line))


def _table(title: str, names: Sequence[str], numbers: Sequence[str]) -> Table:
    """Make a table of columns of *names*, which a narrow terminal folds, and of *numbers*, which it does not."""
    table = Table(
        title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _kill_matrix(report: Mapping[str, Any]) -> Table:
    title = "Kill matrix: the operations on which each column found the mutant, of those it looked at"
    table = _table(title, ["mutant", "requirement that found it"], ["level", *COLUMNS])
    for mutant in report["mutants"]:
        cells = mutant["operations"].values()
        survived = not all(any(cell["found"].values()) for cell in cells)
        looked = [[cell["found"][c] for cell in cells if c in cell["found"]] for c in COLUMNS]
        counts = [f"{sum(map(bool, found))}/{len(found)}" if found else "" for found in looked]
        style = "bold red" if survived else ""
        table.add_row(mutant["name"], mutant["requirement"], mutant["level"], *counts, style=style)
    return table


_SEEN = {True: "yes", False: "NO", None: "cannot be"}


def _dialect_table(report: Mapping[str, Any]) -> Table:
    title = "Dialects: every choice where the vendor is silent (* the default)"
    table = _table(title, ["silent point", "choice"], ["runs", "blamed", "recorded"])
    for row in report["choices"]:
        choice = row["choice"] + (" *" if row["default"] else "")
        style = "bold red" if row["blamed"] or row["recorded"] is False else ""
        counts = str(row["runs"]), str(row["blamed"]), _SEEN[row["recorded"]]
        table.add_row(row["point"], choice, *counts, style=style)
    return table


def _other_table(report: Mapping[str, Any]) -> Table:
    table = _table("Other right servers", ["a server that", "API"], ["runs", "blamed"])
    for row in report["others"]:
        style = "bold red" if row["blamed"] else ""
        table.add_row(row["target"], row["api"], str(row["runs"]), str(row["blamed"]), style=style)
    return table


def to_markdown(report: Mapping[str, Any]) -> str:
    """Write *report* as Markdown."""
    lines = [
        "# Self-check of the conformance suite",
        "",
        *(f"- {line}" for line in figures(report)),
        "",
        "## Problems",
        "",
        *([f"- {_cell(problem)}" for problem in report["problems"]] or ["None."]),
        "",
        "## Kill matrix",
        "",
        "Which column found the mutant on which operation: "
        + ", ".join(f"{letter} {column}" for column, letter in _LETTERS.items())
        + "; `-` looked and did not find it, empty is not concerned.",
        "",
        *_markdown_rows(
            ["mutant", "requirement", "level", *(f"`{key}`" for key in OPERATIONS)],
            (
                [
                    f"`{mutant['name']}`",
                    f"`{mutant['requirement']}`",
                    mutant["level"],
                    *(_letters(mutant["operations"].get(key)) for key in OPERATIONS),
                ]
                for mutant in report["mutants"]
            ),
        ),
        "",
        "## Dialects",
        "",
        *_markdown_rows(
            ["silent point", "choice", "default", "runs", "blamed", "recorded"],
            (
                [
                    f"`{row['point']}`",
                    f"`{row['choice']}`",
                    "yes" if row["default"] else "",
                    str(row["runs"]),
                    str(row["blamed"]),
                    _SEEN[row["recorded"]],
                ]
                for row in report["choices"]
            ),
        ),
        "",
        "## Other right servers",
        "",
        *_markdown_rows(
            ["a server that", "API", "runs", "blamed"],
            (
                [row["target"], f"`{row['api']}`", str(row["runs"]), str(row["blamed"])]
                for row in report["others"]
            ),
        ),
        "",
    ]
    return "\n".join(lines)


def _letters(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return ""
    return "".join(_LETTERS[column] if case else "-" for column, case in cell["found"].items())


def _markdown_rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(_cell(text) for text in line)} |" for line in lines]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
