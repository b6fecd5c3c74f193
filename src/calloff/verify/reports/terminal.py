"""Show the report in a terminal: the table of requirements by operation, then every violation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

_MARKS = {
    "held": ("ok", "green"),
    "violated": ("BAD", "bold red"),
    "skipped": ("skip", "yellow"),
    "not run": ("-", "yellow"),
}


def show(data: dict[str, Any], console: Console) -> None:
    """Print the report *data*."""
    console.print(_matrix(data))
    for row in data["results"]:
        for violation in row["violations"]:
            _show_violation(row, violation, data, console)
    _show_skips(data, console)
    totals = data["totals"]
    requests = sum(target["requests"] for target in data["targets"])
    accepted = sum(target["accepted"] for target in data["targets"])
    summary = ", ".join(
        f"{count} {name}" for name, count in totals.items() if count or name in {"held", "violated"}
    )
    console.print(
        f"{summary}; {requests} requests, {accepted} cancels accepted, {data['seconds']:.1f} s",
        highlight=False,
    )
    if data["stopped"]:
        console.print(Text(f"Not verified: {data['stopped']}.", style="bold red"))
    elif not accepted:
        console.print(Text("Not verified: no cancel was ever accepted.", style="bold red"))


def _matrix(data: dict[str, Any]) -> Table:
    operations = list(dict.fromkeys(row["operation"] for row in data["results"]))
    cells = {(row["requirement"], row["operation"]): row["verdict"] for row in data["results"]}
    legend = "\n".join(f"{number}  {operation}" for number, operation in enumerate(operations, 1))
    table = Table(
        title=f"Requirements by operation\n{legend}", title_justify="left", title_style="", pad_edge=False
    )
    table.add_column("requirement", no_wrap=True)
    table.add_column("level", no_wrap=True)
    for number in range(1, len(operations) + 1):
        table.add_column(str(number), justify="center", no_wrap=True)
    for requirement, about in data["requirements"].items():
        marks = []
        for operation in operations:
            verdict = cells.get((requirement, operation))
            marks.append(Text(*_MARKS[verdict]) if verdict else Text("·", style="dim"))
        table.add_row(requirement, about["level"], *marks)
    return table


def _show_violation(
    row: dict[str, Any], violation: dict[str, Any], data: dict[str, Any], console: Console
) -> None:
    about = data["requirements"][row["requirement"]]
    sources = "; ".join(f"{source['source']}, {source['locator']}" for source in about["sources"])
    console.rule(Text(f"{row['requirement']}  {row['operation']}", style="bold red"), align="left")
    times = f"{violation['count']} times, " if violation["count"] > 1 else ""
    for label, text in (
        (about["level"], about["statement"]),
        ("source", sources),
        ("expected", violation["expected"]),
        ("received", violation["received"]),
        ("found by", f"{violation['layer']}, {times}first in {violation['cases'][0]}"),
    ):
        console.print(Text.assemble((f"{label:>9}  ", "bold"), text))
    if violation["request"]:
        console.print(Text(f"\n{violation['request']}\n\n{violation['response']}\n", style="dim"))


def _show_skips(data: dict[str, Any], console: Console) -> None:
    reasons: dict[str, set[str]] = {}
    for row in data["results"]:
        for skip in row["skips"]:
            reasons.setdefault(skip["reason"], set()).add(row["requirement"])
    for reason, requirements in reasons.items():
        console.print(
            Text.assemble(
                ("skipped in part or whole: ", "yellow"), f"{', '.join(sorted(requirements))}: {reason}"
            )
        )
