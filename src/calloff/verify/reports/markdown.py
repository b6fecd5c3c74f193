"""Write the report in Markdown, short, for the summary of a CI job."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from calloff.verify.outcome import cut
from calloff.verify.reports.data import VERDICTS
from calloff.verify.reports.words import broken, skip_reasons, sources, totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LISTED = 20
_NAMED = 5
# What Markdown, or GitHub's and GitLab's extensions of it, would obey: HTML, emphasis, links, mentions, emojis, tables.
_ACTIVE = re.compile(r"[\\`*_{}\[\]<>#|~@&$]|:(?=//|\w+:)")


def plain(text: str) -> str:
    """Return *text* so that Markdown shows it as it is, in one line."""
    in_line = " ".join(text.split())
    return _ACTIVE.sub(lambda match: f"&#{ord(match[0])};", in_line).replace("www.", "www&#46;")


def code(text: str) -> str:
    """Return *text* as code where nothing in it could end the code or the cell of a table, else as plain text."""
    return (
        f"`{text}`"
        if re.fullmatch(r"[!-%'-;=-_a-{}~]([ !-%'-;=-_a-{}~]*[!-%'-;=-_a-{}~])?", text)
        else plain(text)
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; its cells are Markdown already."""
    return [f"| {' | '.join(row)} |" for row in (heads, ["---"] * len(heads), *([*row] for row in rows))]


def to_markdown(data: dict[str, Any]) -> str:
    """Return the summary of a report."""
    lines = [f"## calloff verify: {plain(data['headline'])}", "", plain(totals(data)), ""]
    violated = [row for row in broken(data) if row["verdict"] == "violated"]
    if violated:
        lines += [
            *table(
                ("requirement", "level", "operation", "expected", "received"), map(_row, violated[:_LISTED])
            ),
            "",
        ]
        if len(violated) > _LISTED:
            lines += [f"and {len(violated) - _LISTED} more, in the full report", ""]
        lines += ["What they demand:", ""]
        for requirement in dict.fromkeys(row["requirement"] for row in violated[:_LISTED]):
            about = data["requirements"][requirement]
            lines.append(f"- {code(requirement)}: {plain(about['statement'])} ({plain(sources(about))})")
        lines.append("")
    lines += _noted(data)
    lines += [*table(("operation", *VERDICTS), _operations(data)), ""]
    suite = data["suite"]
    lines.append(
        f"Suite {code(suite['version'])}, catalogue {code(suite['catalogue'][:16])}, seed {data['seed']}, "
        f"budget {data['budget']}, {data['seconds']:.1f} s"
    )
    return "\n".join(lines) + "\n"


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    first, more = row["violations"][0], len(row["violations"]) - 1
    received = code(cut(first["received"])) + (f" (and {more} more)" if more else "")
    return (
        code(row["requirement"]),
        row["level"],
        code(row["operation"]),
        plain(cut(first["expected"])),
        received,
    )


def _operations(data: dict[str, Any]) -> Iterable[tuple[str, ...]]:
    for operation in dict.fromkeys(row["operation"] for row in data["results"]):
        verdicts = [row["verdict"] for row in data["results"] if row["operation"] == operation]
        yield code(operation), *(str(verdicts.count(verdict)) for verdict in VERDICTS)


def _noted(data: dict[str, Any]) -> list[str]:
    """Return the known failures, and why something was skipped."""
    lines = [
        f"- {each['outcome']}: {code(each['requirement'])}, {code(each['operation'])} until {each['expires']}: "
        f"{plain(cut(each['reason']))}"
        for each in data["expectations"]
    ]
    lines += [
        f"- {'in part skipped' if in_part else 'skipped'}: {plain(cut(reason))}: {', '.join(map(code, names[:_NAMED]))}"
        f"{f' and {len(names) - _NAMED} more' if names[_NAMED:] else ''}"
        for reason, in_part, names in skip_reasons(data)[:_LISTED]
    ]
    return [*lines, ""] if lines else []
