"""Pages made from the catalogue: requirements with what proves them, the vendors' sentences, silent points."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calloff.apis import OPERATIONS
from docs_site.markdown import code, definitions, download, flat, folded, heading, link, page, plain, table
from docs_site.reference import Facts, sources

if TYPE_CHECKING:
    from calloff.contract import Catalogue, Requirement
    from calloff.verify.selection import Row

_MARK = re.compile(
    r'^@pytest\.mark\.requirement\("([^"]+)"\)(?:\n@[^\n]*)*\n(?:async )?def (\w+)', re.MULTILINE
)
_CELLS = "table/"
_EVERYWHERE = "*/*"


def facts(catalogue: Catalogue, operations: Sequence[str]) -> Facts:
    """Return what *catalogue* says of each of *operations*."""
    return Facts(
        {
            key: [(r.id, r.statement) for r in catalogue.requirements.values() if r.applies_to(key)]
            for key in operations
        },
        {
            key: [(p.id, p.question) for p in catalogue.silent_points.values() if p.applies_to(key)]
            for key in operations
        },
    )


def marked_tests(folder: Path) -> dict[str, list[str]]:
    """Return the tests below *folder* that are marked as proof of a client requirement, by its id."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("test_*.py")):
        text = path.read_text("utf-8")
        # A test that proves two requirements has two marks, so each mark is looked for by itself.
        for mark in re.finditer(r"^@pytest\.mark\.requirement\(", text, re.MULTILINE):
            if match := _MARK.match(text, mark.start()):
                found.setdefault(match[1], []).append(f"{path.name}::{match[2]}")
    return found


def requirements(catalogue: Catalogue, rows: Sequence[Row], tests: Mapping[str, Sequence[str]]) -> str:
    """Return the page of all requirements; *rows* name the checks of server ones, *tests* those of client ones."""
    proofs: dict[str, Sequence[str]] = {row.requirement: row.checks for row in rows}
    proofs.update(tests)
    every = list(catalogue.requirements.values())
    unproven = [one.id for one in every if not proofs.get(one.id)]
    if unproven:
        raise ValueError(f"no check and no test proves {', '.join(unproven)}")
    return page(
        "Requirements",
        f"What a server or a client must do: {len(every)} sentences, each with its source and what proves it. "
        "MUST: the vendor, or a standard of HTTP, says so. SHOULD: we conclude it.\n",
        "`calloff verify --only ID` proves one of a server, `calloff verify --list` lists them all. A cell of the "
        "table is one case of the suite's decision table: a state of the job, a credential, and what is wrong with "
        "the request. `every answer` is judged in every case of every layer; `races/`, `protocol/`, `model/` and "
        "`fuzz/` are the other layers, which [the guide](/docs/verify.md) runs alone by `--layer`.\n",
        f"{download('spec/requirements.yaml')} is the catalogue itself.\n",
        heading(2, "Overview", "requirements", "overview"),
        table(
            ("requirement", "level", "binds", "proven by"),
            (
                (
                    link(code(one.id), "requirement", one.id),
                    one.level,
                    one.binds,
                    _proven(proofs[one.id], one),
                )
                for one in every
            ),
        ),
        *_groups(every, proofs),
        depth=2,
    )


def _groups(every: Sequence[Requirement], proofs: Mapping[str, Sequence[str]]) -> Iterator[str]:
    groups: dict[str, list[Requirement]] = {}
    for one in every:
        groups.setdefault(_group(one), []).append(one)
    for name, members in groups.items():
        yield heading(2, name, "requirements", name)
        for one in members:
            yield heading(3, one.id, "requirement", one.id)
            yield f"**{one.level}.** {plain(one.statement)}\n"
            yield f"Binds a {one.binds} in {_bound(one.operations)}. Proven by {_proven(proofs[one.id], one)}.\n"
            yield folded("Every check" if one.binds == "server" else "Every test", proofs[one.id])
            yield sources({"sources": one.sources})


def _bound(patterns: Sequence[str]) -> str:
    """Name the operations that patterns over ``<api>/<operationId>`` bind, each with a link to its description."""
    if _EVERYWHERE in patterns:
        return "every operation"
    keys = [key for key in OPERATIONS if any(fnmatchcase(key, pattern) for pattern in patterns)]
    return ", ".join(link(code(key), *key.replace("/", "/operation/").split("/")) for key in keys)


def _group(requirement: Requirement) -> str:
    if requirement.binds == "client":
        return "Clients"
    if _EVERYWHERE in requirement.operations:
        return "Servers: every operation"
    return "Servers: Tencent Cloud CI" if requirement.operations[0].startswith("tencent") else "Servers: DLI"


def _proven(checks: Sequence[str], requirement: Requirement) -> str:
    if requirement.binds == "client":
        return f"{len(checks)} {'test' if len(checks) == 1 else 'tests'}"
    cells = sum(check.startswith(_CELLS) for check in checks)
    said = [f"{cells} {'cell' if cells == 1 else 'cells'} of the table"] if cells else []
    return ", ".join([*said, *(check for check in checks if not check.startswith(_CELLS))])


def vendor_pages(pages: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """Return the page that goes through the vendors' pages sentence by sentence; *titles* are those of the sources."""
    return page(
        "The vendors' pages, sentence by sentence",
        "Every sentence of the five pages that describe the cancels, in our words, and what became of it.\n",
        *(part for one in pages for part in _vendor_page(one, titles)),
    )


def _vendor_page(one: Mapping[str, Any], titles: Mapping[str, str]) -> Iterator[str]:
    source, _, place = one["page"].partition(" ")
    yield heading(2, f"{titles[source]} ({one['page']})", "page", one["page"])
    yield f"Source: {link(source, 'source', source)} {place}\n"
    rows = ((plain(row["says"]), _became(row)) for row in one["sentences"])
    yield table(("the vendor says", "what became of it"), rows)


def _became(row: Mapping[str, Any]) -> str:
    said = []
    if "by" in row:
        said.append(", ".join(link(code(one), "requirement", one) for one in row["by"]))
    if "described" in row:
        said.append(f"described in {code(row['described'])}")
    if "untestable" in row:
        said.append(f"not tested: {plain(row['untestable'])}")
    return "; ".join(said)


def silent_points(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the page of what the vendors leave open."""
    return page(
        "What the vendors leave open",
        f"{len(rows)} questions that no vendor answers. A server may make any of the choices: the suite accepts all of "
        "them and records the one it saw (`calloff verify --profile FILE`), the mock makes any "
        "(`calloff mock --dialect POINT=CHOICE`), and a client should bear every one. The default is what the mock "
        "does unasked, always a conclusion of ours.\n",
        f"{download('spec/silent-points.yaml')} is the list itself.\n",
        *(part for row in rows for part in _silent_point(row)),
        depth=2,
    )


def _silent_point(row: Mapping[str, Any]) -> Iterator[str]:
    yield heading(2, row["id"], "silent", row["id"])
    yield f"**{plain(flat(row['question']))}**\n"
    yield f"In {_bound(row['operations'])}.\n"
    yield definitions(
        (f"{code(choice)}{' (default)' if choice == row['default'] else ''}", [plain(flat(what))])
        for choice, what in row["choices"].items()
    )
    yield f"Why that default: {plain(flat(row['because']))}\n"
