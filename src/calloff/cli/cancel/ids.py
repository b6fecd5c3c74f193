"""Read job ids from the command line, a file or the standard input, one after another."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from calloff.apis import Operation

Format = Literal["plain", "csv", "jsonl"]
DEFAULT_NAME = "job_id"  # of the column or field; it is what --output writes
_SUFFIXES: dict[str, Format] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_LONGEST_LINE = 65_536
_COMMENT = re.compile(r"(?:^|\s)#")  # within a word it is none: what is before it may be another job's id
_SHOWN = 20  # invalid ids that are listed; the rest is counted


@dataclass(frozen=True, slots=True)
class Entry:
    """One id as it was given: where it stands, its text, and what is wrong with the line it stands on."""

    place: str
    text: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class IdsFile:
    """Where ids are read from, and how; ``-`` is the standard input."""

    name: str
    format: Format
    member: str

    def entries(self) -> Iterator[Entry]:
        """Yield what the file holds.

        Raises:
            InvalidInputError: it cannot be read, or is not of that format.
        """
        shown = "standard input" if self.name == "-" else self.name
        with _told(shown), _opened(self.name) as file:
            for line, text, problem in _READERS[self.format](_lines(file), self.member):
                yield Entry(f"{shown} line {line}", text, problem)


def ids_file(name: str, form: Format | None, column: str | None, field: str | None) -> IdsFile:
    """Tell how to read ids from *name*: as *form*, else as the options tell, else as the suffix tells.

    Raises:
        InvalidInputError: the options contradict one another.
    """
    if column and field:
        raise InvalidInputError("--column is for CSV and --field for JSON lines; give one of them")
    implied: Format | None = "csv" if column else "jsonl" if field else None
    if form and implied and form != implied:
        raise InvalidInputError(
            f"--ids-format {form} and --{'column' if column else 'field'} contradict each other; leave one out"
        )
    found = form or implied or _SUFFIXES.get(Path(name).suffix.lower(), "plain")
    return IdsFile(name, found, column or field or DEFAULT_NAME)


class JobIds:
    """The ids of a run, checked one by one as they are taken.

    Those that are none are told in ``invalid`` (the first of them) and counted. Unless they are skipped, taking
    the ids ends with InvalidInputError, which lists them.
    """

    def __init__(self, operation: Operation, entries: Iterable[Entry], *, skip_invalid: bool) -> None:
        self.invalid: list[str] = []
        self.invalid_count = 0
        self._entries, self._operation, self._skip = entries, operation, skip_invalid

    def __iter__(self) -> Iterator[str]:
        fits = re.compile(self._operation.patterns[self._operation.job_parameter]).fullmatch
        for entry in self._entries:
            if not entry.problem and fits(entry.text):
                yield entry.text
                continue
            self.invalid_count += 1
            if len(self.invalid) < _SHOWN:
                shown = entry.text if len(entry.text) <= 80 else f"{entry.text[:80]}..."
                self.invalid.append(f"{entry.place}: {entry.problem or ascii(shown)}")
        if self.invalid and not self._skip:
            raise InvalidInputError(
                f"{self.problem()}\nNothing was sent. Correct them, or leave them out with --skip-invalid."
            )

    def problem(self) -> str:
        """List the ids that are none."""
        pattern = self._operation.patterns[self._operation.job_parameter]
        head = f"{self.invalid_count} of the ids given cannot be a job of {self._operation.key}"
        lines = [f"{head}, whose ids match {pattern}:", *(f"    {line}" for line in self.invalid)]
        if more := self.invalid_count - len(self.invalid):
            lines.append(f"    and {more:,} more")
        return "\n".join(lines)


def arguments(ids: Iterable[str]) -> Iterator[Entry]:
    """Yield the ids of the command line."""
    for number, text in enumerate(ids, 1):
        yield Entry(f"argument {number}", text)


_Read = Iterator[tuple[int, str, str]]  # line, text, what is wrong with it


def _plain(lines: Iterator[str], _member: str) -> _Read:
    for number, line in enumerate(lines, 1):
        if text := _COMMENT.split(line, maxsplit=1)[0].strip():
            yield number, text, ""


def _csv(lines: Iterator[str], column: str) -> _Read:
    reader = csv.reader(lines, strict=True)
    heads = [head.strip() for head in next(reader, [])]
    if not heads:
        return
    if heads.count(column) != 1:
        what = "more than one column" if column in heads else "no column"
        raise InvalidInputError(
            f"its first line names {what} {column!r}, but {', '.join(map(repr, heads))}; name one with --column"
        )
    index = heads.index(column)
    for row in reader:
        if not row:
            continue
        if index < len(row):
            yield reader.line_num, row[index].strip(), ""
        else:
            yield reader.line_num, "", f"the line ends before the column {column!r}"


def _jsonl(lines: Iterator[str], field: str) -> _Read:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line, object_pairs_hook=list)
        except (ValueError, RecursionError):
            yield number, "", "it is no JSON"
            continue
        # The members of an object are pairs here, as one that is there twice may name two jobs.
        pairs = value if isinstance(value, list) else []
        found = [pair[1] for pair in pairs if isinstance(pair, tuple) and pair[0] == field]
        match found:
            case [str(text)]:
                yield number, text, ""
            case [_, _, *_]:
                yield number, "", f"the member {field!r} is there more than once"
            case _:
                yield number, "", f"it is no object with a text {field!r}; name the member with --field"


_READERS: dict[Format, Callable[[Iterator[str], str], _Read]] = {
    "plain": _plain,
    "csv": _csv,
    "jsonl": _jsonl,
}


def _lines(file: TextIO) -> Iterator[str]:
    while line := file.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise InvalidInputError(
                f"it has a line of more than {_LONGEST_LINE:,} characters; that is no list of ids"
            )
        yield line


@contextmanager
def _opened(name: str) -> Generator[TextIO]:
    if name == "-":
        if sys.stdin is None:
            raise InvalidInputError("it is closed")
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="strict", newline="")  # type: ignore[union-attr]
        yield sys.stdin
        return
    with Path(name).open(encoding="utf-8-sig", newline="") as file:
        yield file


@contextmanager
def _told(shown: str) -> Generator[None]:
    """Say in a sentence why ids cannot be read."""
    try:
        yield
    except InvalidInputError as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except csv.Error as error:
        reason = f"it is no CSV: {error}"
    except ValueError:
        reason = "no file can have that name"
    else:
        return
    raise InvalidInputError(f"cannot read ids from {shown}: {reason}")
