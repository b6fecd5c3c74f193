"""Read figures from the tables of the guides, and draw them as bars."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# In the units of the picture, which is as wide as a phone shows it.
_WIDTH, _ROW, _VALUE = 420, 46, 70
# Contenders that are calloff too, besides the first of each table.
_OURS = re.compile(r"calloff|\d cancels$")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


class Bar(NamedTuple):
    """One bar: whose it is, how long, and whether it is ours."""

    name: str
    value: float
    ours: bool


def tables(text: str) -> Iterator[tuple[str, list[list[str]]]]:
    """Yield the tables of a page, rows of cells with the head first, each after the last line that stood before it."""
    before, rows = "", []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        else:
            if rows:
                yield before, [row for row in rows if not set("".join(row)) <= set("-: ")]
                rows = []
            before = line.strip() or before


def numbers(cell: str) -> list[float]:
    """Return the numbers of a cell.

    Raises ValueError where there is none, so that a chart never shows less than its table.
    """
    found = [float(number.replace(",", "")) for number in _NUMBER.findall(cell)]
    if not found:
        raise ValueError(f"no figure in the cell {cell!r}; a chart is drawn from it")
    return found


def chart(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """Return horizontal bars as a picture in the page, which takes its colours from there."""
    height = _ROW * len(bars)
    longest = max(bar.value for bar in bars)
    said = "; ".join(f"{bar.name}: {bar.value:,g} {unit}" for bar in bars)
    drawn = "".join(_bar(number, bar, longest) for number, bar in enumerate(bars))
    caption, spoken = html.escape(f"{title}, {unit}"), html.escape(f"{title}: {said}")
    return (
        f'<figure class="chart"><figcaption>{caption}</figcaption>\n'
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{spoken}">{drawn}</svg>\n'
        "</figure>\n"
    )


def _bar(number: int, bar: Bar, longest: float) -> str:
    top, long = number * _ROW, (_WIDTH - _VALUE) * bar.value / longest
    whose = "ours" if bar.ours else "other"
    return (
        f'<text x="0" y="{top + 16}">{html.escape(bar.name)}</text>'
        f'<rect class="{whose}" x="0" y="{top + 21}" width="{long:.1f}" height="16"/>'
        f'<text x="{long + 6:.1f}" y="{top + 34}">{bar.value:,g}</text>'
    )


def with_client_charts(text: str) -> str:
    """Put a chart of the medians in place of the title of each table of the clients' bench."""
    for title, rows in tables(text):
        bars = [
            Bar(row[0], numbers(row[1])[0], ours=not at or bool(_OURS.search(row[0])))
            for at, row in enumerate(rows[1:])
        ]
        text = text.replace(f"{title}\n", chart(title.strip("*"), rows[0][1], bars), 1)
    return text


def with_suite_chart(text: str) -> str:
    """Put before *text* a chart of the suite's bench: medians of least, median and greatest."""
    rows = next(rows for _, rows in tables(text) if {"quick", "standard"} <= set(rows[0]))
    bars = [
        Bar(f"{row[0].strip('`')}, {rows[0][column]}", numbers(row[column])[1], ours=True)
        for row in rows[1:]
        for column in (rows[0].index("quick"), rows[0].index("standard"))
    ]
    return f"{chart('Requests per second, as multiples of those of schemathesis', 'times', bars)}\n{text}"


def with_mock_chart(text: str) -> str:
    """Put before *text* a chart of the mock's bench: processor time for a request, medians."""
    rows = [
        row
        for _, found in tables(text)
        for row in found[1:]
        if row[0].startswith("processor time per request")
    ]
    names = [row[0].split(",")[1].strip() for row in rows]
    bars = [
        Bar("calloff mock" if name == "ours" else name, numbers(row[2])[0], name == "ours")
        for name, row in zip(names, rows, strict=True)
    ]
    return f"{chart('Processor time for a request, median', 'µs', bars)}\n{text}"
