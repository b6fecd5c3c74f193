"""Show the report in a terminal: the requirements by operation, what broke them, the gravest first, then the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table
from rich.text import Text

from calloff.verify.reports.words import broken, found_by, skip_reasons, sources, tone, totals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import Console

_IN_PART = "held, in part skipped"
_ABSENT = "does not apply"
# Mark and style of each verdict; the legend tells those that occur, in this order.
_MARKS = {
    "held": ("ok", "green"),
    _IN_PART: ("ok*", "green"),
    "violated": ("BAD", "bold red"),
    "known failure": ("known", "magenta"),
    "unexpected pass": ("ok?", "bold cyan"),
    "skipped": ("skip", "yellow"),
    "not run": ("-", "yellow"),
    _ABSENT: ("·", "dim"),
}
_STYLES = {"held": "bold green", "skipped": "bold yellow", "violated": "bold red"}
_NOTES = {
    "known failure": "known failure, until {expires}",
    "unexpected pass": "unexpected pass, take it out of the known failures",
    "expired": "EXPIRED on {expires}, counts again",
    "not verified": "not verified in this run",
}
_NAMED = 5
_LABEL = 11
# From here on there is room for the names of operations above their columns.
_WIDE = 120


def show(data: dict[str, Any], console: Console) -> None:
    """Print the report *data*, in plain text where the console is no terminal or wants no colour."""
    plain = not console.is_terminal or console.no_color
    marks = _marks(data)
    console.print(_matrix(data, marks, wide=console.width >= _WIDE, plain=plain))
    seen = set(marks.values())
    legend = [f"{mark} {meaning}" for meaning, (mark, _) in _MARKS.items() if meaning in seen]
    console.print(Text("; ".join(legend), style="" if plain else "dim"))
    for row in broken(data):
        if row["verdict"] == "violated":
            _show_violated(row, data, console)
    _show_notes(data, console)
    console.print()
    console.print(
        f"{data['headline']}.", style="" if plain else _STYLES[tone(data)], highlight=False, markup=False
    )
    console.print(totals(data), highlight=False, markup=False)


def _marks(data: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return what each requirement and operation is marked as, a key of _MARKS."""
    operations = dict.fromkeys(row["operation"] for row in data["results"])
    marks = {(name, operation): _ABSENT for name in data["requirements"] for operation in operations}
    for row in data["results"]:
        in_part = row["verdict"] == "held" and row["skips"]
        marks[row["requirement"], row["operation"]] = _IN_PART if in_part else row["verdict"]
    return marks


def _matrix(data: dict[str, Any], marks: dict[tuple[str, str], str], *, wide: bool, plain: bool) -> Table:
    operations = list(dict.fromkeys(row["operation"] for row in data["results"]))
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
        shown = [_MARKS[marks[requirement, operation]] for operation in operations]
        table.add_row(
            requirement, about["level"], *(Text(mark, "" if plain else style) for mark, style in shown)
        )
    return table


def _show_violated(row: dict[str, Any], data: dict[str, Any], console: Console) -> None:
    """Print what broke a requirement: the gravest group with its request, of the others what was expected."""
    about = data["requirements"][row["requirement"]]
    first, *others = row["violations"]
    plain = not console.is_terminal or console.no_color
    head = f"{row['requirement']}  {row['operation']}"
    if plain:
        console.print(f"\n--- {head}", markup=False, highlight=False)
    else:
        console.print()
        console.rule(Text(head, style="bold red"), align="left", style="red")
    _say(about["level"], about["statement"], console)
    _say("source", sources(about), console)
    _show_group(first, console)
    if first["request"]:
        shown = f"\n{first['request']}\n\n{first['response']}\n"
        # As it was sent: whoever copies it gets no line end that was not there.
        console.print(Text(shown, style="" if plain else "dim"), soft_wrap=True)
    for other in others:
        _say("also", "", console)
        _show_group(other, console)


def _show_group(violation: dict[str, Any], console: Console) -> None:
    _say("expected", violation["expected"], console)
    _say("received", violation["received"], console)
    _say("found by", found_by(violation), console)
    # Not wrapped, since it is there to be copied.
    _say("again", f"calloff verify … --case {violation['case']}", console, whole=True)


def _say(label: str, text: str, console: Console, *, whole: bool = False) -> None:
    """Print *text* after *label*, its further lines under the first; *whole* leaves each in one."""
    style = "bold" if console.is_terminal and not console.no_color else ""
    _hang(Text(f"{label:>9}  ", style), Text(text), " " * _LABEL, console, whole=whole)


def _hang(start: Text, text: Text, indent: str, console: Console, *, whole: bool = False) -> None:
    """Print *text*, its first line after *start*, which is no longer than *indent*, the others after *indent*."""
    lines: Iterable[Text] = text.split("\n", allow_blank=True)
    if not (whole or console.soft_wrap):
        lines = text.wrap(console, max(console.width - len(indent), 20))
    for number, line in enumerate(lines):
        shown = Text.assemble(indent if number else start, line)
        shown.rstrip()
        console.print(shown, soft_wrap=True)


def _show_notes(data: dict[str, Any], console: Console) -> None:
    """Print what became of the known failures, and why something was skipped."""
    notes = []
    for each in data["expectations"]:
        kind = _NOTES[each["outcome"]].format(expires=each["expires"])
        notes.append((kind, "magenta", f"{each['requirement']} {each['operation']}: {each['reason']}"))
    for reason, in_part, names in skip_reasons(data):
        # The table marks what was skipped in part, which is often nearly all.
        listed = [] if in_part else names[:_NAMED]
        about = f"{reason}: {_and_more(listed, len(names) - len(listed))}"
        notes.append(("in part skipped" if in_part else "skipped", "yellow", about))
    if notes:
        console.print()
    for kind, style, about in notes:
        _hang(Text(), Text.assemble((f"{kind}: ", style), about), "  ", console)


def _and_more(names: list[str], left: int) -> str:
    if names:
        return ", ".join(names) + (f" and {left} more" if left else "")
    return f"{left} requirement{'s' if left > 1 else ''}"
