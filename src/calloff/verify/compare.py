"""Tell what changed between two reports of the suite."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from calloff.errors import InvalidInputError
from calloff.resources import spec_path
from calloff.verify.outcome import cut
from calloff.verify.reports.data import FORMAT_VERSION, printable
from calloff.verify.reports.markdown import code, plain, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ABSENT = "not in the report"
_BROKEN = frozenset({"violated", "known failure"})
_HELD = frozenset({"held", "unexpected pass"})


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that differs: what it is about, as it was, as it is."""

    about: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed from one report to another.

    *conditions* are differences of the runs themselves (suite, contract, seed, selection, ...): with them, a change
    of a verdict need not be the server's. *excuses* are violations that became known failures, or count again.
    """

    newly_violated: tuple[Change, ...] = ()
    fixed: tuple[Change, ...] = ()
    newly_skipped: tuple[Change, ...] = ()
    newly_verified: tuple[Change, ...] = ()
    excuses: tuple[Change, ...] = ()
    choices: tuple[Change, ...] = ()
    conditions: tuple[Change, ...] = ()

    @property
    def parts(self) -> Iterable[tuple[str, tuple[Change, ...]]]:
        """Yield each kind of change that there is, with its heading."""
        named = (
            ("newly violated", self.newly_violated),
            ("fixed", self.fixed),
            ("no longer verified", self.newly_skipped),
            ("verified now", self.newly_verified),
            ("known failures", self.excuses),
            ("choices where the vendors are silent", self.choices),
            ("conditions of the run", self.conditions),
        )
        return [(heading, changes) for heading, changes in named if changes]

    def to_text(self) -> str:
        """Write the comparison for a terminal."""
        lines = []
        for heading, changes in self.parts:
            lines.append(f"{heading}: {len(changes)}")
            lines += [f"  {change.about}: {change.old} → {change.new}" for change in changes]
        return "\n".join(lines or ["nothing changed"]) + "\n"

    def to_markdown(self) -> str:
        """Write the comparison for the summary of a CI job."""
        lines = ["## calloff verify: what changed", ""]
        for heading, changes in self.parts:
            rows = [(code(change.about), plain(change.old), plain(change.new)) for change in changes]
            lines += [
                f"### {heading.capitalize()}: {len(changes)}",
                "",
                *table(("", "before", "now"), rows),
                "",
            ]
        if not self.parts:
            lines += ["Nothing changed.", ""]
        return "\n".join(lines)


def compare(old: Any, new: Any) -> Comparison:
    """Compare two JSON reports of ``calloff verify``.

    Raises:
        InvalidInputError: one of them is no report in the form of ``spec/verify/report.schema.json``.
    """
    before, after = checked(old, "the old report"), checked(new, "the new report")
    earlier, later = _verdicts(before), _verdicts(after)
    changes: dict[str, list[Change]] = {}
    for key in dict.fromkeys((*later, *earlier)):
        was, now = earlier.get(key, ABSENT), later.get(key, ABSENT)
        if kind := _kind(was, now):
            changes.setdefault(kind, []).append(Change(key, was, now))
    return Comparison(
        **{kind: tuple(found) for kind, found in changes.items()},
        choices=_differences(_choices(before), _choices(after)),
        conditions=_differences(_conditions(before), _conditions(after)),
    )


def read_report(path: Path) -> dict[str, Any]:
    """Read the JSON report in the file *path*.

    Raises:
        InvalidInputError: no such file, or no report in it.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        msg = f"cannot read the report {path}: {error.strerror}"
        raise InvalidInputError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path} is no report of calloff verify: expected JSON, {error}"
        raise InvalidInputError(msg) from error
    return checked(content, str(path))


def checked(content: Any, name: str) -> dict[str, Any]:
    """Return *content* where it is a report, made safe to print; *name* stands in the refusal.

    Raises:
        InvalidInputError: it is none, or one of another format.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT_VERSION:
        got = f"format {content.get('format')!r}" if isinstance(content, dict) else type(content).__name__
        msg = (
            f"{name} is no report that can be compared: expected the report.json of calloff verify, format "
            f"{FORMAT_VERSION}, got {cut(got)}; write it again with this version of calloff"
        )
        raise InvalidInputError(msg)
    if (error := next(_validator().iter_errors(content), None)) is not None:
        where = "/".join(map(str, error.absolute_path)) or "the whole"
        msg = f"{name} is no report of calloff verify: {printable(cut(f'{where}: {error.message}'))}"
        raise InvalidInputError(msg)
    return printable(content)  # type: ignore[no-any-return]


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(spec_path("verify/report.schema.json").read_text("utf-8")))


def _verdicts(report: Mapping[str, Any]) -> dict[str, str]:
    return {f"{row['requirement']} {row['operation']}": row["verdict"] for row in report["results"]}


def _kind(was: str, now: str) -> str:
    """Name the kind of change, as Comparison does, or nothing."""
    if was == now:
        return ""
    if was in _BROKEN and now in _BROKEN:
        return "excuses"
    if now in _BROKEN:
        return "newly_violated"
    if now in _HELD:
        return "fixed" if was in _BROKEN else "" if was in _HELD else "newly_verified"
    return "newly_skipped" if was in _HELD | _BROKEN else ""


def _choices(report: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{point} {operation}": choice
        for target in report["targets"]
        for point, choices in target["observed"].items()
        for operation, choice in choices.items()
    }


def _conditions(report: Mapping[str, Any]) -> dict[str, str]:
    suite, selection = report["suite"], report["selection"]
    return {
        "suite": suite["version"],
        "catalogue": suite["catalogue"][:16],
        **{f"contract {api}": text for api, text in suite["contract"].items()},
        **{name: str(report[name]) for name in ("seed", "budget", "live")},
        "layers": ", ".join(report["layers"]),
        **{f"selected {name}": _words(value) for name, value in selection.items()},
        **{f"jobs of {target['api']}": target["jobs"] or "none" for target in report["targets"]},
        "stopped": report["stopped"] or "no",
    }


def _words(value: Any) -> str:
    return ", ".join(value) or "all" if isinstance(value, list) else value or "all"


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    return tuple(
        Change(key, old.get(key, ABSENT), new.get(key, ABSENT))
        for key in dict.fromkeys((*new, *old))
        if old.get(key) != new.get(key)
    )
