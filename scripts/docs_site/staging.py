"""Lay out the source of the site: pages at their places in the checkout, and what they link to."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from docs_site.markdown import code, download, fence, label, page

_LINK = re.compile(r"(?<!!)\]\((?!https?://|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^(`{3,}|~{3,})")
_SOURCE_ROW = re.compile(r"^\| `([A-Z0-9-]+)` \|", re.MULTILINE)
_ADDRESS = re.compile(r"(?<![\w/.(\[`-])(?:[a-z0-9-]+\.)+(?:com|org)/[\w./-]*[\w/]")
_DECISION_ROW = re.compile(r"^\| ([A-Z]\d+) \|", re.MULTILINE)
_LANGUAGES = {
    ".go": "go",
    ".java": "java",
    ".js": "javascript",
    ".json": "json",
    ".mjs": "javascript",
    ".ts": "typescript",
    ".yaml": "yaml",
    ".yml": "yaml",
}
_NAMED_FILES = re.compile(r"^\| (`[^|`]+`(?:, `[^|`]+`)*) \|", re.MULTILINE)
# Files of the checkout that can be saved; none of them is a page.
_SAVED = "files"
_NO_SOURCE = {"node_modules", "dist", "target", "build", "bin", "__pycache__"}


@dataclass(slots=True)
class Stage:
    """One site in the making.

    Args:
        root: the checkout.
        folder: where the source of the site is laid out.
        stand_ins: pages that stand for a file or folder of the checkout, such as the rendered reference for a
            document; by the path of what they stand for.
    """

    root: Path
    folder: Path
    stand_ins: Mapping[str, str]
    _shown: set[str] = field(default_factory=set)

    def copy(self, paths: Iterable[str]) -> None:
        """Lay out files that are no pages, such as pictures and downloads, at their places."""
        for path in paths:
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / path, target)

    def write(self, path: str, text: str) -> None:
        """Lay out a page that was made for the site."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")

    def take(self, path: str, text: str | None = None, *, to: str | None = None) -> None:
        """Lay out a page of the checkout as it stands, or *text* of it, at its own path or at another.

        Raises ValueError where it links to what is not there.
        """
        found = (self.root / path).read_text("utf-8") if text is None else text
        self.write(to or path, self.relinked(found, path))

    def relinked(self, text: str, path: str) -> str:
        """Return *text* of the page *path* with links that lead to the same from anywhere in the site."""
        return "".join(
            line if within else _LINK.sub(lambda match: self._link(match, path), line)
            for within, line in _lines(text)
        )

    def _link(self, match: re.Match[str], path: str) -> str:
        wanted = os.path.normpath(PurePosixPath(path).parent / match[1])
        if not (self.root / wanted).exists() and wanted not in self.stand_ins:
            raise ValueError(f"{path} links to {match[1]}, which is not there; mend the link")
        return f"](/{self._page_for(wanted, path)}{match[2] or ''})"

    def _page_for(self, wanted: str, by: str) -> str:
        if wanted in self.stand_ins:
            return self.stand_ins[wanted]
        if wanted.endswith(".md"):
            return wanted
        shown = f"{wanted}.md"
        if shown not in self._shown:
            self._shown.add(shown)
            self.write(shown, self._shown_source(wanted, f"[](/{self.stand_ins.get(by, by)})"))
        return shown

    def _shown_source(self, path: str, by: str) -> str:
        place, title = self.root / path, PurePosixPath(path).name
        if place.is_dir():
            files = "".join(f"- {self._saved(file)}\n" for file in _sources(self.root, place))
            return page(
                f"{title}/", f"The folder {code(path)} of the checkout, for {by}:\n", files, orphan=True
            )
        shown = fence(place.read_text("utf-8"), _LANGUAGES.get(place.suffix, "text"))
        return page(title, f"The file {self._saved(path)} of the checkout, for {by}.\n", shown, orphan=True)

    def _saved(self, path: str) -> str:
        target = self.folder / _SAVED / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / path, target)
        return download(f"{_SAVED}/{path}", path)


def with_source_labels(text: str) -> str:
    """Give each row of the tables in ``SOURCES.md`` a label, by its key or id, and make its addresses links."""
    text = _ADDRESS.sub(lambda found: f"[{found[0]}](https://{found[0]})", text)
    text = _SOURCE_ROW.sub(lambda row: f"| `{row[1]}`{{#{label('source', row[1])}}} |", text)
    return _DECISION_ROW.sub(lambda row: f"| [{row[1]}]{{#{label('decision', row[1])}}} |", text)


def source_titles(text: str) -> dict[str, str]:
    """Return what each source in ``SOURCES.md`` is called, by its key."""
    return dict(re.findall(r"^\| `([A-Z0-9-]+)` \| ([^|]+?) \|", text, re.MULTILINE))


def with_files_linked(text: str, links: Callable[[str], str]) -> str:
    """Let *links* write the names of files that the first column of a table holds."""
    return _NAMED_FILES.sub(
        lambda row: f"| {', '.join(links(name.strip('`')) for name in row[1].split(', '))} |", text
    )


def section(text: str, title: str) -> str:
    """Return what stands under the heading *title* of the second level, whatever its number."""
    parts = re.split(r"^## (?:\d+\. )?(.+)$", text, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    if title not in sections:
        raise ValueError(f"there is no section {title!r}; there are {', '.join(sections)}")
    return sections[title].strip() + "\n"


def _lines(text: str) -> Iterator[tuple[bool, str]]:
    fence = ""
    for line in text.splitlines(keepends=True):
        marker = _FENCE.match(line)
        within = bool(fence) or bool(marker)
        if marker and not fence:
            fence = marker[1]
        elif marker and line.strip() == fence:
            fence = ""
        yield within, line


def _sources(root: Path, folder: Path) -> list[str]:
    return sorted(
        found.relative_to(root).as_posix()
        for found in folder.rglob("*")
        if found.is_file() and not _NO_SOURCE.intersection(found.relative_to(folder).parts)
    )
