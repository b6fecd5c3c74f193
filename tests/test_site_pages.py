"""The pages of the documentation site that are made from the contract, and those that are taken as they stand."""

from __future__ import annotations

import base64
import hashlib
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import calloff
from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue, read_yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (str(ROOT / "scripts"), str(ROOT / "docs" / "site"), str(ROOT / "contract_tests" / "site"))


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    for folder in FOLDERS:
        monkeypatch.syspath_prepend(folder)
    yield
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"docs_site", "finish", "pages"}:
            del sys.modules[name]


def site(name: str) -> ModuleType:
    return importlib.import_module(f"docs_site.{name}")


HEADERS = {"x-id": {"$ref": "#/components/headers/LampId"}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.1",
    "info": {"title": "Lamps", "version": "2.0.0", "description": "Switches lamps."},
    "servers": [
        {
            "url": "https://{house}.example",
            "variables": {"house": {"default": "none", "x-pattern": "^[a-z]+$"}},
        }
    ],
    "security": [{"Key": [], "Extra": []}, {"Token": []}],
    "paths": {
        "/lamps/{id}": {
            "put": {
                "operationId": "switchOff",
                "summary": "Switches one lamp off.",
                "description": "Only a lamp that is on.",
                "parameters": [
                    {"$ref": "#/components/parameters/Id"},
                    {"$ref": "#/components/parameters/Off"},
                ],
                "responses": {
                    "200": {"$ref": "#/components/responses/Done"},
                    "494": {"$ref": "#/components/responses/Refused"},
                },
                "x-job-states": [
                    {
                        "state": "on",
                        "meaning": "Shines.",
                        "final": False,
                        "cancellable": True,
                        "cancelled": False,
                    }
                ],
            }
        }
    },
    "components": {
        "parameters": {
            "Id": {
                "name": "id",
                "in": "path",
                "required": True,
                "description": "Which lamp.",
                "schema": {"type": "string", "pattern": "^[a|b]+$", "maxLength": 8},
                "examples": {"one": {"value": "a0"}},
            },
            "Off": {
                "name": "off",
                "in": "query",
                "required": True,
                "allowEmptyValue": True,
                "description": "Off.",
                "schema": {"type": "string", "const": ""},
            },
        },
        "responses": {
            "Done": {"description": "It is off. Nothing more.", "headers": HEADERS},
            "Refused": {
                "description": "No.",
                "content": {
                    "application/xml": {
                        "schema": {"$ref": "#/components/schemas/Error"},
                        "examples": {
                            "bad": {"summary": "A bad one.", "value": {"Code": "a<b", "Lamp": ["1", "2"]}}
                        },
                    }
                },
            },
        },
        "headers": {
            "LampId": {
                "required": True,
                "description": "Which one.",
                "schema": {"type": "string", "minLength": 1},
            }
        },
        "schemas": {
            "Error": {
                "type": "object",
                "xml": {"name": "Error"},
                "required": ["Code"],
                "properties": {
                    "Code": {"type": "string", "x-known-values": ["Bad"]},
                    "Lamp": {
                        "type": "array",
                        "items": {"type": "object", "properties": {"Hue": {"type": "integer"}}},
                    },
                },
            }
        },
        "securitySchemes": {
            "Key": {"type": "apiKey", "in": "header", "name": "X-Key", "description": "A key."},
            "Extra": {"type": "apiKey", "in": "header", "name": "X-Extra", "description": "More."},
            "Token": {"type": "apiKey", "in": "query", "name": "token", "description": "A token."},
        },
    },
}


def rendered() -> str:
    module = site("reference")
    facts = module.Facts(
        {"lamps/switchOff": [("off-stays-off", "Off stays off.")]}, {"lamps/switchOff": [("dim", "Dim?")]}
    )
    return str(module.reference("lamps", DOCUMENT, facts))


@pytest.mark.parametrize(
    "shown",
    [
        "# Lamps\n",
        "(lamps-operation-switchoff)=\n## switchOff\n",
        "PUT /lamps/{id}?off\n",
        "in the path · required · string · at most 8 characters · pattern `^[a|b]+$`",
        "in the query · required · string · always empty",
        "Example, which names nothing: `a0`",
        "| **200** | It is off: [Done](#lamps-answer-done) | none |",
        "| **494** | No: [Refused](#lamps-answer-refused) | [Error](#lamps-schema-error) (application/xml) |",
        "| `on` | Shines. | yes | no | no |",
        "**200 OK.** It is off. Nothing more.",
        "- [Key](#lamps-scheme-key) with [Extra](#lamps-scheme-extra)\n- [Token](#lamps-scheme-token)\n",
        "In the query: `token`.",
        "- [`off-stays-off`](#requirement-off-stays-off) Off stays off.",
        "- [`dim`](#silent-dim) Dim?",
        "`Code`\n: string · required\n",
        "Seen so far, others may come: `Bad`.",
        "`Lamp[].Hue`\n: integer · optional\n",
        "default `none` · pattern `^[a-z]+$`",
        "PUT /lamps/a0?off HTTP/1.1\nHost: none.example\nX-Key: …\nX-Extra: …\n",
        "Headers: [`x-id`](#lamps-header-lampid).",
        "(lamps-header-lampid)=\n### LampId\n\nalways there · at least 1 characters\n",
    ],
)
def test_the_reference_shows(shown: str) -> None:
    assert shown in rendered()


def test_an_example_in_xml_is_written_as_xml_without_a_wrapper_of_lists() -> None:
    wanted = "```xml\n<Error>\n  <Code>a&lt;b</Code>\n  <Lamp>1</Lamp>\n  <Lamp>2</Lamp>\n</Error>\n```"

    assert wanted in rendered()


def test_a_keyword_without_words_is_refused_not_left_out() -> None:
    with pytest.raises(ValueError, match="no words for multipleOf"):
        site("schemas").demands({"type": "integer", "multipleOf": 3})


@pytest.mark.parametrize("name", [path.name for path in sorted((ROOT / "spec").glob("*.openapi.yaml"))])
def test_every_document_is_rendered_with_all_its_operations_statuses_and_schemas(name: str) -> None:
    document, module = read_yaml(name), site("reference")

    shown = module.reference(name.removesuffix(".openapi.yaml"), document, module.Facts())

    headings = set(re.findall(r"^#+ (\S+)$", shown, re.MULTILINE))
    operations = [one for item in document["paths"].values() for one in item.values()]
    assert headings >= {one["operationId"] for one in operations}
    assert headings >= document["components"]["schemas"].keys()
    assert headings >= document["components"].get("securitySchemes", {}).keys()
    assert sum(
        shown.count(f"| **{status}** |") for status in {s for one in operations for s in one["responses"]}
    ) == sum(len(one["responses"]) for one in operations)


# --- the Python API ----------------------------------------------------------------------------------------------


def test_every_public_name_has_a_heading() -> None:
    shown = site("python").python_api(calloff.__all__)

    described = re.findall(r"^\.\. auto(?:class|function):: calloff\.(\w+)$", shown, re.MULTILINE)
    assert sorted(described) == sorted(set(calloff.__all__) - {"__version__"})


def test_a_public_name_without_a_heading_is_refused() -> None:
    with pytest.raises(ValueError, match="no heading for lamp"):
        site("python").python_api(["cancel_all", "lamp"])


# --- requirements and silent points ------------------------------------------------------------------------------


def test_every_requirement_is_shown_with_what_proves_it(tmp_path: Path) -> None:
    from calloff.verify.selection import listing

    module, catalogue = site("catalogue"), load_catalogue()

    shown = module.requirements(catalogue, listing(catalogue), module.marked_tests(ROOT / "tests"))

    for one in catalogue.requirements.values():
        assert f"(requirement-{one.id})=\n### {one.id}\n" in shown
        assert site("markdown").plain(one.statement) in shown
    assert "<code>races/cancel-twice</code>" in shown


def test_a_requirement_that_nothing_proves_is_no_page() -> None:
    with pytest.raises(ValueError, match="no check and no test proves cancel-accepted"):
        site("catalogue").requirements(load_catalogue(), [], {})


def test_a_test_with_two_marks_proves_two_requirements(tmp_path: Path) -> None:
    marks = (
        '@pytest.mark.requirement("one")\n@pytest.mark.requirement("two")\nasync def test_it() -> None: ...\n'
    )
    (tmp_path / "test_a.py").write_text(marks)

    assert site("catalogue").marked_tests(tmp_path) == {
        "one": ["test_a.py::test_it"],
        "two": ["test_a.py::test_it"],
    }


def test_every_mark_is_found() -> None:
    required = {one.id for one in load_catalogue().requirements.values() if one.binds == "client"}

    assert site("catalogue").marked_tests(ROOT / "tests").keys() == required


def test_facts_are_those_that_bind_the_operation() -> None:
    facts = site("catalogue").facts(load_catalogue(), tuple(OPERATIONS))

    ids = {one for one, _ in facts.requirements["tencent-ci/cancelAiJob"]}
    assert "ci-ai-only-pending" in ids
    assert not any(one.startswith("dli-") for one in ids)
    assert {one for one, _ in facts.silent_points["otc-dli/cancelSqlJob"]} >= {"dli-unknown-job"}


def test_a_silent_point_shows_its_choices_and_the_default() -> None:
    row = {
        "id": "dim",
        "operations": ["*/cancelSqlJob"],
        "question": "May <it> be dim?",
        "choices": {"yes": "dim", "no": "off"},
        "default": "no",
        "because": "Nobody said.",
    }

    shown = site("catalogue").silent_points([row])

    assert "(silent-dim)=\n## dim\n" in shown
    assert r"**May \<it\> be dim?**" in shown
    assert (
        "In [`otc-dli/cancelSqlJob`](#otc-dli-operation-cancelsqljob), [`huaweicloud-dli/cancelSqlJob`](#"
        in shown
    )
    assert "`yes`\n: dim\n" in shown
    assert "`no` (default)\n: off\n" in shown
    assert "Why that default: Nobody said." in shown


def test_what_a_vendor_says_is_shown_as_text() -> None:
    sentence = {"says": "PUT /jobs/<jobId> is *it*", "by": ["cancel-accepted"], "untestable": "no"}

    shown = site("catalogue").vendor_pages(
        [{"page": "CAN-B place", "sentences": [sentence]}], {"CAN-B": "A page"}
    )

    assert "(page-can-b-place)=\n## A page (CAN-B place)\n" in shown
    assert r"PUT /jobs/\<jobId\> is \*it\*" in shown
    assert "[`cancel-accepted`](#requirement-cancel-accepted); not tested: no" in shown


# --- pages as they stand -----------------------------------------------------------------------------------------


def staged(root: Path, text: str) -> str:
    (root / "docs").mkdir()
    (root / "spec").mkdir()
    (root / "src").mkdir()
    (root / "spec" / "lamps.yaml").touch()
    (root / "src" / "a.ts").write_text("const one = 1;\n")
    (root / "docs" / "page.md").write_text(text)
    stage = site("staging").Stage(root, root / "out", {"spec/lamps.yaml": "reference/lamps.md"})
    stage.take("docs/page.md")
    return (root / "out" / "docs" / "page.md").read_text()


@pytest.mark.parametrize(
    ("written", "led"),
    [
        ("[a](../spec/lamps.yaml)", "[a](/reference/lamps.md)"),
        ("[a](../spec/lamps.yaml#x)", "[a](/reference/lamps.md#x)"),
        ("[a](page.md#x)", "[a](/docs/page.md#x)"),
        ("[a](../src/a.ts)", "[a](/src/a.ts.md)"),
        ("[a](../src/)", "[a](/src.md)"),
        ("[a](#x) [b](https://c.example/d.md)", "[a](#x) [b](https://c.example/d.md)"),
        ("```\n[a](nowhere)\n```", "```\n[a](nowhere)\n```"),
    ],
)
def test_a_link_leads_to_the_same_from_within_the_site(tmp_path: Path, written: str, led: str) -> None:
    assert staged(tmp_path, written) == led


def test_a_file_that_a_page_links_to_becomes_a_page(tmp_path: Path) -> None:
    staged(tmp_path, "[a](../src/a.ts)")

    assert "```typescript\nconst one = 1;\n```" in (tmp_path / "out" / "src" / "a.ts.md").read_text()


def test_a_file_that_is_shown_can_be_saved_and_leads_back(tmp_path: Path) -> None:
    staged(tmp_path, "[a](../src/a.ts)")

    assert "{download}`src/a.ts </files/src/a.ts>` of the checkout, for [](/docs/page.md)." in (
        tmp_path / "out" / "src" / "a.ts.md"
    ).read_text("utf-8")
    assert (tmp_path / "out" / "files" / "src" / "a.ts").read_text() == "const one = 1;\n"


def test_files_that_a_table_names_become_links_and_other_code_stays() -> None:
    text = "| `a.yaml`, `b.yaml` | says `c.yaml` |\n| `x-d` | `e` |\n"

    linked = site("staging").with_files_linked(text, lambda name: f"<{name}>")

    assert linked == "| <a.yaml>, <b.yaml> | says `c.yaml` |\n| <x-d> | `e` |\n"


def test_a_link_to_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"docs/page\.md links to \.\./gone\.md, which is not there"):
        staged(tmp_path, "[a](../gone.md)")


def test_sources_and_decisions_can_be_linked_to() -> None:
    text = "| `CAN-B` | a.example.com/b (2020) |\n| D9 | y |\n| other | z |\n"

    assert site("staging").with_source_labels(text) == (
        "| `CAN-B`{#source-can-b} | [a.example.com/b](https://a.example.com/b) (2020) |\n"
        "| [D9]{#decision-d9} | y |\n| other | z |\n"
    )


def test_a_section_is_found_whatever_its_number() -> None:
    assert site("staging").section("# A\n\n## 3. Begin\n\none\n\n## 4. End\n", "Begin") == "one\n"


def test_a_section_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="no section 'Middle'; there are Begin, End"):
        site("staging").section("## 3. Begin\n\n## End\n", "Middle")


# --- figures -----------------------------------------------------------------------------------------------------


def test_charts_are_drawn_from_the_tables() -> None:
    head = "**Rates**\n\n| | cancels/s | ratio |\n|---|--:|--:|\n"
    text = f"{head}| ours | 2,000 (1 to 3) | |\n| peer | 1,000 (1 to 2) | 2 |\n"

    chart = site("figures").with_client_charts(text)

    assert 'aria-label="Rates: ours: 2,000 cancels/s; peer: 1,000 cancels/s"' in chart
    assert re.findall(r'class="(ours|other)" .*? width="([\d.]+)"', chart) == [
        ("ours", "350.0"),
        ("other", "175.0"),
    ]


def test_a_cell_without_a_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="no figure in the cell 'soon'"):
        site("figures").numbers("soon")


@pytest.mark.parametrize(
    ("page", "draw"), [("verify.md", "with_suite_chart"), ("mock.md", "with_mock_chart")]
)
def test_the_guides_have_the_tables_that_are_drawn(page: str, draw: str) -> None:
    assert getattr(site("figures"), draw)((ROOT / "docs" / page).read_text("utf-8")).count("<rect") >= 2


# --- signing, policy, links --------------------------------------------------------------------------------------


def test_the_stages_shown_are_those_of_the_vector() -> None:
    vector = {
        "name": "one",
        "request": {"method": "PUT", "target": "/a?off", "headers": [["Host", "h"]]},
        "credentials": {"secret_id": "id", "secret_key": "SecretKey"},  # pragma: allowlist secret
        "stages": {
            "sign_key": "1k",
            "http_string": "2h\n",
            "http_string_sha1": "3s",
            "string_to_sign": "4t",
            "signature": "5g",
        },
        "authorization": "6a",
    }

    shown = site("signing").with_stages("<!-- stages: q-sign one -->\n", lambda _: [vector])

    assert re.findall(r"```text\n(.*?)\n```", shown, re.DOTALL) == [
        "PUT /a?off\nHost: h",
        "1k",
        "2h",
        "3s",
        "4t",
        "5g",
        "6a",
    ]


def test_the_policy_lets_the_scripts_of_the_page_run_and_no_other() -> None:
    finish = importlib.import_module("finish")
    digest = base64.b64encode(hashlib.sha256(b"a()").digest()).decode()

    page = finish.with_policy('<head><meta charset="utf-8"></head><script>a()</script>')

    policy = re.search(r'content="(default-src.*?)"', page)
    assert policy is not None
    rules = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    assert rules["script-src"] == f"'self' file: 'sha256-{digest}'"
    assert rules["connect-src"] == rules["default-src"] == "'none'"


def test_what_may_be_too_wide_is_reached_with_the_keyboard() -> None:
    mended = importlib.import_module("finish").mended

    assert mended("<pre>a</pre>") == '<pre tabindex="0">a</pre>'
    assert mended('<div class="table-wrapper x">') == '<div class="table-wrapper x" tabindex="0">'


@pytest.mark.parametrize(
    ("link", "broken"),
    [
        ("b.html", False),
        ("b.html#here", False),
        ("#top", False),
        ("https://c.example", False),
        ("b.html?x=1", False),
        ("c.html", True),
        ("b.html#gone", True),
        ("#gone", True),
        ("../outside.html", True),
    ],
)
def test_a_broken_link_is_found(tmp_path: Path, link: str, broken: bool) -> None:
    pages = importlib.import_module("pages")
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "outside.html").touch()
    (site / "a.html").write_text(f'<p id="top"><a href="{link}">x</a></p>')
    (site / "b.html").write_text('<p id="here">x</p>')

    assert pages.broken(site, "a.html") == ([link] if broken else [])
