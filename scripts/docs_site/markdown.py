"""Write MyST Markdown: tables, definition lists, labels, links."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence


def label(*parts: str) -> str:
    """Return the label of a place, from the words that name it."""
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def heading(level: int, text: str, *name: str) -> str:
    """Return a heading, with the label made of *name* where there is one."""
    target = f"({label(*name)})=\n" if name else ""
    return f"{target}{'#' * level} {text}\n"


def link(text: str, *name: str) -> str:
    """Return a link to the label made of *name*, on whatever page it stands."""
    return f"[{text}](#{label(*name)})"


def code(text: object) -> str:
    """Return *text* as code within a line."""
    written = str(text)
    ticks = "`" * (max((len(run) for run in re.findall("`+", written)), default=0) + 1)
    pad = " " if written.startswith("`") or written.endswith("`") else ""
    return f"{ticks}{pad}{written}{pad}{ticks}"


def plain(text: str) -> str:
    """Return *text* as it reads, with nothing in it taken for Markdown or HTML."""
    return re.sub(r"([\\<>*_{}\[\]$`&])", r"\\\1", text)


def download(path: str, text: str = "") -> str:
    """Return a link that saves the file *path* of the site's source, under its own name where there is no *text*."""
    return f"{{download}}`{text or path.rpartition('/')[2]} </{path}>`"


def flat(text: str) -> str:
    """Return *text* as one paragraph on one line."""
    return " ".join(text.split())


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a bar within a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        f"| {' | '.join(flat(cell).replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def definitions(entries: Iterable[tuple[str, Iterable[str]]]) -> str:
    """Return a list of terms, each with paragraphs that explain it; empty ones are left out."""
    written = []
    for term, paragraphs in entries:
        said = [paragraph for paragraph in paragraphs if paragraph]
        written.append("\n".join([term, *(f": {indented(one)}\n" for one in said or ["\u2014"])]))
    return "\n".join(written)


def indented(text: str) -> str:
    """Return *text* with every line but the first moved in, as the content of a list wants it."""
    first, *rest = text.rstrip().split("\n")
    return "\n".join([first, *(f"  {line}" if line else "" for line in rest)])


def fence(text: str, language: str = "text") -> str:
    """Return *text* as a block of code."""
    ticks = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{ticks}{language}\n{text.rstrip()}\n{ticks}\n"


def folded(summary: str, items: Sequence[str]) -> str:
    """Return a list of plain texts that opens when its *summary* is chosen."""
    entries = "".join(f"<li><code>{html.escape(item)}</code></li>" for item in items)
    return f"<details><summary>{html.escape(summary)}</summary><ul>{entries}</ul></details>\n"


def page(title: str, *parts: str, depth: int = 3, orphan: bool = False) -> str:
    """Return a whole page.

    Args:
        title: its heading.
        parts: what follows; empty ones are left out.
        depth: how deep the contents at its side go.
        orphan: no table of contents names it; other pages link to it.
    """
    front = f"---\ntocdepth: {depth}\n{'orphan: true' if orphan else ''}\n---\n"
    return "\n".join([front, heading(1, title), *(part for part in parts if part)])
