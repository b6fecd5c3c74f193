"""Show the report in a terminal: the table of requirements by operation, then every violation, then the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from calloff.verify.reports.words import headline, skip_reasons, sources, totals

if TYPE_CHECKING:
    from rich.console import Console

_MARKS = {
    "held": ("ok", "green"),
    "violated": ("BAD", "bold red"),
    "known failure": ("known", "magenta"),
    "unexpected pass": ("ok?", "bold cyan"),
    "skipped": ("skip", "yellow"),
    "not run": ("-", "yellow"),
}
_ABSENT = ("·", "dim")
_NOTES = {
    "known failure": "known failure, until {expires}",
    "unexpected pass": "unexpected pass, take it out of the known failures",
    "expired": "EXPIRED on {expires}, counts again",
    "not verified": "not verified in this run",
}
# From here on there is room for the names of operations above their columns.
_WIDE = 120


def show(data: dict[str, Any], console: Console) -> None:
    """Print the report *data*, in plain text where the console is no terminal or wants no colour."""
    plain = not console.is_terminal or console.no_color
    console.print(_matrix(data, wide=console.width >= _WIDE, plain=plain))
    for row in data["results"]:
        if row["verdict"] == "violated":
            for violation in row["violations"]:
                _show_violation(row, violation, data, console)
    _show_notes(data, console)
    style = "" if plain else "bold green" if data["exit_status"] == 0 else "bold red"
    console.print(f"{headline(data)}.", style=style, highlight=False, markup=False)
    console.print(totals(data), highlight=False, markup=False)


def _matrix(data: dict[str, Any], *, wide: bool, plain: bool) -> Table:
    operations = list(dict.fromkeys(row["operation"] for row in data["results"]))
    verdicts = {(row["requirement"], row["operation"]): row["verdict"] for row in data["results"]}
    heads = [operation.replace("/", "\n") for operation in operations]
    title = "Requirements by operation"
    if not wide:
        heads = [str(number) for number in range(1, len(operations) + 1)]
        title += "".join(
            f"\n{number}  {operation}" for number, operation in zip(heads, operations, strict=True)
        )
    table = Table(
        title=title,
        title_justify="left",
        title_style="",
        header_style="" if plain else "bold",
        box=box.ASCII if plain else box.ROUNDED,
        show_edge=False,
        pad_edge=False,
    )
    table.add_column("requirement", no_wrap=True)
    table.add_column("level", no_wrap=True)
    for head in heads:
        table.add_column(head, justify="center", no_wrap=True)
    for requirement, about in data["requirements"].items():
        marks = [_MARKS.get(verdicts.get((requirement, operation), ""), _ABSENT) for operation in operations]
        table.add_row(
            requirement, about["level"], *(Text(mark, "" if plain else style) for mark, style in marks)
        )
    return table


def _show_violation(
    row: dict[str, Any], violation: dict[str, Any], data: dict[str, Any], console: Console
) -> None:
    about = data["requirements"][row["requirement"]]
    plain = not console.is_terminal or console.no_color
    head = f"{row['requirement']}  {row['operation']}"
    if plain:
        console.print(f"\n--- {head}", markup=False, highlight=False)
    else:
        console.rule(Text(head, style="bold red"), align="left")
    times = f"{violation['count']} times, " if violation["count"] > 1 else ""
    for label, text in (
        (about["level"], about["statement"]),
        ("source", sources(about)),
        ("expected", violation["expected"]),
        ("received", violation["received"]),
        ("found by", f"{violation['layer']}, {times}first in {violation['cases'][0]}"),
        ("again", f"calloff verify … --case {violation['case']}"),
    ):
        # Not wrapped, since it is there to be copied.
        wrapped = label != "again"
        console.print(
            Text.assemble((f"{label:>9}  ", "" if plain else "bold"), text), soft_wrap=not wrapped or None
        )
    if violation["request"]:
        shown = f"\n{violation['request']}\n\n{violation['response']}\n"
        console.print(Text(shown, style="" if plain else "dim"))


def _show_notes(data: dict[str, Any], console: Console) -> None:
    """Print what became of the known failures, and why something was skipped."""
    for each in data["expectations"]:
        note = _NOTES[each["outcome"]].format(expires=each["expires"])
        console.print(
            Text.assemble(
                (f"{note}: ", "magenta"), f"{each['requirement']} {each['operation']}: {each['reason']}"
            )
        )
    for reason, requirements in skip_reasons(data).items():
        console.print(
            Text.assemble(("skipped in part or whole: ", "yellow"), f"{reason}: {', '.join(requirements)}")
        )
