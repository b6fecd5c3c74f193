"""The script that generates the clients, and what it wrote in Python.

What it writes in other languages is held in contract_tests/consumers/, where their toolchains are at hand.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
Call = tuple[str, str, dict[str, str], dict[str, str]]
CALLS: list[Call] = [
    ("tencent_ci", "ai_jobs.cancel_ai_job", {"job_id": "a1"}, {"cancel": ""}),
    ("tencent_ci", "batch_jobs.cancel_inventory_trigger_job", {"job_id": "b1"}, {"cancel": ""}),
    ("otc_dli", "spark_jobs.cancel_batch_job", {"project_id": "p1", "batch_id": "b1"}, {}),
    ("otc_dli", "sql_jobs.cancel_sql_job", {"project_id": "p1", "job_id": "j1"}, {}),
    ("huaweicloud_dli", "sql_jobs.cancel_sql_job", {"project_id": "p1", "job_id": "j1"}, {}),
    ("tencent_ci_status", "ai_jobs.describe_ai_job", {"job_id": "a1"}, {}),
    ("tencent_ci_status", "batch_jobs.describe_inventory_trigger_job", {"job_id": "b1"}, {}),
    ("otc_dli_status", "spark_jobs.get_batch_job_state", {"project_id": "p1", "batch_id": "b1"}, {}),
    ("otc_dli_status", "sql_jobs.get_sql_job_status", {"project_id": "p1", "job_id": "j1"}, {}),
    ("huaweicloud_dli_status", "sql_jobs.get_sql_job_status", {"project_id": "p1", "job_id": "j1"}, {}),
]


@pytest.fixture(scope="module")
def generator() -> Iterator[ModuleType]:
    specification = importlib.util.spec_from_file_location("generate", ROOT / "scripts" / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "scripts"))
        specification.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def fresh(generator: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree generated now."""
    target = tmp_path_factory.mktemp("fresh") / "generated"
    generator.generate(target, ["python"], ROOT / "generated")
    return target


@pytest.fixture
def copy(fresh: Path, tmp_path: Path) -> Path:
    """Return a tree that a test may damage."""
    return Path(shutil.copytree(fresh, tmp_path / "generated"))


def test_two_runs_give_the_same_bytes(generator: ModuleType, fresh: Path, tmp_path: Path) -> None:
    again = tmp_path / "generated"
    generator.generate(again, ["python"], ROOT / "generated")

    assert generator.compare(again, fresh) == []


def test_committed_code_is_what_the_documents_give(generator: ModuleType, fresh: Path) -> None:
    assert generator.compare(fresh, ROOT / "generated") == []


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (lambda root: (root / "MANIFEST.json").unlink(), "missing  MANIFEST.json"),
        (
            lambda root: (root / "python/calloff_clients/otc_dli/types.py").write_text("x = 1\n"),
            "differs  python/calloff_clients/otc_dli/types.py",
        ),
        (
            lambda root: (root / "python/calloff_clients/otc_dli/old.py").write_text(""),
            "orphaned python/calloff_clients/otc_dli/old.py",
        ),
    ],
    ids=["missing", "differs", "orphaned"],
)
def test_a_difference_is_listed_and_repaired(
    generator: ModuleType, fresh: Path, copy: Path, damage: Callable[[Path], object], finding: str
) -> None:
    damage(copy)

    assert generator.compare(fresh, copy) == [finding]

    generator.replace(fresh, copy)
    assert generator.compare(fresh, copy) == []


def test_check_exits_with_1_names_the_file_and_writes_nothing(
    generator: ModuleType, copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stale = copy / "python" / "calloff_clients" / "__init__.py"
    stale.write_text("stale\n")

    assert generator.main(["--check", "--language", "python", "--target", str(copy)]) == 1

    output = capsys.readouterr()
    assert output.out == "differs  python/calloff_clients/__init__.py\n"
    assert "nox -s generate" in output.err
    assert stale.read_text() == "stale\n"


def test_a_changed_upstream_template_stops_the_generation(generator: ModuleType, tmp_path: Path) -> None:
    changed = tmp_path / "endpoint_module.py.jinja"
    changed.write_text("another release\n")

    with pytest.raises(generator.GenerationError, match=r"changed its template endpoint_module\.py\.jinja"):
        generator.python.check_template(changed)


def test_another_version_of_a_tool_stops_the_generation(
    generator: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator.python.metadata, "version", lambda tool: "0.0.1")

    with pytest.raises(generator.GenerationError, match=r"must be 0\.29\.1, .* but is 0\.0\.1"):
        generator.python.check_tools()


def test_a_missing_document_is_named(generator: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(generator.GenerationError, match=r"nowhere\.yaml is missing"):
        generator.python.generate_package("broken", tmp_path / "nowhere.yaml", tmp_path / "broken")


def test_a_document_that_the_tool_warns_about_is_refused(generator: ModuleType, tmp_path: Path) -> None:
    content = {"application/strange": {"schema": {"type": "object"}}}
    operation = {
        "operationId": "a",
        "tags": ["t"],
        "responses": {"200": {"description": "d", "content": content}},
    }
    document = {
        "openapi": "3.1.1",
        "info": {"title": "T", "version": "1"},
        "paths": {"/a": {"put": operation}},
    }
    source = tmp_path / "document.yaml"
    source.write_text(json.dumps(document))

    with pytest.raises(generator.GenerationError, match=r"reading document\.yaml, failed"):
        generator.python.generate_package("broken", source, tmp_path / "broken")


def test_only_xml_response_bodies_are_left_out(generator: ModuleType) -> None:
    body = {"schema": {"type": "object"}}
    document: dict[str, Any] = {
        "paths": {
            "/a": {
                "parameters": [{"name": "p"}],
                "put": {
                    "requestBody": {"content": {"application/xml": body}},
                    "responses": {
                        "200": {
                            "description": "both",
                            "content": {"application/xml": body, "text/plain": body},
                        },
                        "400": {"$ref": "#/components/responses/Bad"},
                    },
                },
            }
        },
        "components": {
            "responses": {"Bad": {"description": "xml only", "content": {"application/xml": body}}},
            "schemas": {"E": {"properties": {"content": {"application/xml": body}}}},
        },
    }
    original = json.dumps(document)

    assert generator.python.without_xml_bodies(document) == {
        "paths": {
            "/a": {
                "parameters": [{"name": "p"}],
                "put": {
                    "requestBody": {"content": {"application/xml": body}},
                    "responses": {
                        "200": {"description": "both", "content": {"text/plain": body}},
                        "400": {"$ref": "#/components/responses/Bad"},
                    },
                },
            }
        },
        "components": {
            "responses": {"Bad": {"description": "xml only"}},
            "schemas": {"E": {"properties": {"content": {"application/xml": body}}}},
        },
    }
    assert json.dumps(document) == original


def test_every_python_file_says_where_it_comes_from() -> None:
    for path in (ROOT / "generated" / "python").rglob("*.py"):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert first.startswith("# Generated by openapi-python-client from spec/"), path
        assert first.endswith("Do not edit; run: nox -s generate"), path


def test_the_manifest_lists_every_language_file_and_document(generator: ModuleType) -> None:
    generated = ROOT / "generated"
    manifest = json.loads((generated / "MANIFEST.json").read_text(encoding="utf-8"))

    assert list(manifest) == sorted(generator.LANGUAGES)
    for language, described in manifest.items():
        files = {
            path.relative_to(generated / language).as_posix()
            for path in (generated / language).rglob("*")
            if path.is_file() and not {"__pycache__", "node_modules", "target"}.intersection(path.parts)
        }
        assert set(described["files"]) == files, language
        assert len(described["documents"]) == 6, language
    assert manifest["python"]["tools"] == {"openapi-python-client": "0.29.1", "ruff": "0.17.6"}


def without_toolchain(generator: ModuleType, patch: pytest.MonkeyPatch) -> None:
    language = dataclasses.replace(generator.LANGUAGES["typescript"], programs=("no-such-compiler",))
    patch.setitem(generator.LANGUAGES, "typescript", language)


CHECK = ("--check", "--language", "typescript", "--target")


def test_a_missing_toolchain_is_told_and_the_digests_are_checked(
    generator: ModuleType, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_toolchain(generator, monkeypatch)
    monkeypatch.delenv("CI", raising=False)

    assert generator.main([*CHECK, str(copy)]) == 0
    assert "SKIPPED, typescript is not generated: no-such-compiler not installed" in capsys.readouterr().err

    (copy / "typescript" / "package.json").write_text("{}\n")
    assert generator.main([*CHECK, str(copy)]) == 1
    assert capsys.readouterr().out == "differs  typescript/package.json\n"


def test_a_language_made_from_older_documents_is_stale(
    generator: ModuleType, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_toolchain(generator, monkeypatch)
    monkeypatch.delenv("CI", raising=False)
    manifest = json.loads((copy / "MANIFEST.json").read_text())
    manifest["typescript"]["documents"]["spec/otc-dli.openapi.yaml"] = "0" * 64
    (copy / "MANIFEST.json").write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n")

    assert generator.main([*CHECK, str(copy)]) == 1

    assert capsys.readouterr().out == "stale    typescript: spec/otc-dli.openapi.yaml\n"


def test_a_missing_toolchain_is_an_error_under_ci(
    generator: ModuleType, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_toolchain(generator, monkeypatch)
    monkeypatch.setenv("CI", "true")

    assert generator.main([*CHECK, str(copy)]) == 1

    assert "typescript is not generated: no-such-compiler not installed" in capsys.readouterr().err


def _recorded(package: str, call: str) -> tuple[ModuleType, Any, list[httpx.Request]]:
    module = importlib.import_module(f"calloff_clients.{package}.api.{call}")
    client = importlib.import_module(f"calloff_clients.{package}").Client
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={})

    transport = {"transport": httpx.MockTransport(answer)}
    return module, client(base_url="http://test", httpx_args=transport), sent


@pytest.mark.parametrize(("package", "call", "ids", "query"), CALLS, ids=lambda value: str(value)[:30])
def test_a_raw_client_sends_the_segment_it_was_given(
    package: str, call: str, ids: dict[str, str], query: dict[str, str]
) -> None:
    module, client, sent = _recorded(package, call)

    module.sync_detailed(client=client, **ids, **query)
    asyncio.run(module.asyncio_detailed(client=client, **ids, **query))

    assert len(sent) == 2
    for request in sent:
        segments = request.url.raw_path.partition(b"?")[0].decode().split("/")
        assert set(ids.values()) <= set(segments)


@pytest.mark.parametrize("value", ["", ".", ".."])
@pytest.mark.parametrize(
    ("call", "name"),
    [(call, name) for call in CALLS for name in call[2]],
    ids=lambda value: value if isinstance(value, str) else "-".join(value[:2]),
)
def test_a_raw_client_refuses_a_segment_that_names_another_resource(
    call: Call, name: str, value: str
) -> None:
    package, path, ids, query = call
    module, client, sent = _recorded(package, path)

    with pytest.raises(ValueError, match=f"{name} must be a path segment of its own"):
        module.sync_detailed(client=client, **{**ids, name: value}, **query)
    with pytest.raises(ValueError, match=f"{name} must be a path segment of its own"):
        asyncio.run(module.asyncio_detailed(client=client, **{**ids, name: value}, **query))

    assert sent == []


@pytest.mark.parametrize("value", ["../..", "a/b", "%2e%2e", "a?b", "a#b", "..\\..", "é"])
def test_a_raw_client_keeps_any_other_value_in_its_segment(value: str) -> None:
    module, client, sent = _recorded("otc_dli", "sql_jobs.cancel_sql_job")

    module.sync_detailed(client=client, project_id="p1", job_id=value)

    path = sent[0].url.raw_path
    assert path.startswith(b"/v1.0/p1/jobs/")
    assert path.count(b"/") == 4
    assert b"?" not in path
