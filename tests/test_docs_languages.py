"""The pages docs/languages/*.md show code that is tested: each block is identical to what it names.

``<!-- FILE -->`` or ``<!-- FILE#REGION -->`` stands above a block; a region lies between a line that ends in
``#region REGION`` and the next that ends in ``#endregion``, whatever the comment signs of the language. Empty
lines at its ends are not shown.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# README.md tells of languages without a program.
PAGES = sorted(page for page in (ROOT / "docs" / "languages").glob("*.md") if page.stem != "README")
BLOCK = re.compile(
    r"(?:^<!-- (?P<source>\S+) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
# What is typed, not compiled: where it is run is said by the test that runs it.
TYPED = {"console"}


def shown(source: str) -> str:
    """Return the file, or the region of it, that a marker names."""
    name, _, region = source.partition("#")
    text = (ROOT / name).read_text("utf-8")
    if not region:
        return text
    found = re.search(
        rf"#region {re.escape(region)}\n(.*?)^[^\n]*#endregion\n", text, re.DOTALL | re.MULTILINE
    )
    assert found, f"{name} has no region {region}"
    return textwrap.dedent(found[1]).strip("\n") + "\n"


def test_there_are_pages() -> None:
    assert PAGES


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_all_code_of_a_page_is_tested_code(page: Path) -> None:
    text = page.read_text("utf-8")
    blocks = list(BLOCK.finditer(text))

    assert len(blocks) * 2 == len(re.findall(r"^```", text, re.MULTILINE))
    assert any(block["source"] for block in blocks)
    for block in blocks:
        if block["language"] not in TYPED:
            assert block["source"], f"no marker above: {block['code'][:60]}"
            assert block["code"].strip()
            assert block["code"] == shown(block["source"]), block["source"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    prose = BLOCK.sub("", page.read_text("utf-8"))
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", prose):
        assert link.startswith("https://") or (page.parent / link).exists(), link
