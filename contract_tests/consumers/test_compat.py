"""The gate against breaking changes finds each kind that matters, by oasdiff, and wants the version to say it."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import toolchain

SPEC = toolchain.ROOT / "spec"
THROTTLED = "        '429':\n          $ref: '#/components/responses/Throttled'\n"


@pytest.fixture(scope="module")
def gate() -> ModuleType:
    toolchain.need("go")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(toolchain.ROOT / "scripts"))
        return importlib.import_module("check_compat")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Give the documents as they are, once as the released ones and once as those that a test changes."""
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        for name in ("tencent-ci", "otc-dli"):
            shutil.copy(SPEC / f"{name}.openapi.yaml", folder)
    return old, new


def change(folder: Path, name: str, before: str, after: str) -> None:
    path = folder / f"{name}.openapi.yaml"
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        ("tencent-ci", "const: ''", "const: x", "enum value"),
        (
            "tencent-ci",
            "      name: cancel\n",
            "      name: delete\n",
            "new required `query` request parameter",
        ),
        ("tencent-ci", "        Code:\n", "        Word:\n", "removed the required property `Code`"),
        ("otc-dli", "is_success:", "succeeded:", "removed the optional property `is_success`"),
        ("otc-dli", "type: boolean", "type: string", "changed from `boolean` to `string`"),
        ("otc-dli", "required: [error_code, error_msg]", "required: [error_code]", "became optional"),
        ("otc-dli", "/v1.0/{project_id}/jobs/", "/v2.0/{project_id}/jobs/", "api path removed"),
        ("otc-dli", "    delete:", "    post:", "api removed"),
        (
            "otc-dli",
            "operationId: cancelSqlJob",
            "operationId: stopSqlJob",
            "operation id `cancelSqlJob` removed",
        ),
        ("otc-dli", "^[0-9A-Za-z-]{1,64}$", "^[0-9]{1,64}$", "changed the pattern"),
        ("otc-dli", "maxLength: 64", "maxLength: 32", "maxLength was decreased"),
        ("otc-dli", "name: X-Auth-Token", "name: X-Token", "api key name changed"),
        (
            "otc-dli",
            "otc.t-systems.com",
            "example.org",
            "the server https://dli.{region}.otc.t-systems.com is gone",
        ),
        ("otc-dli", THROTTLED, "", "status `429`"),
        ("otc-dli", "application/json:", "application/problem+json:", "media type"),
        ("tencent-ci", "application/xml:", "text/xml:", "removed the media type `application/xml`"),
        ("otc-dli", "DliError", "DliFault", "schema `DliError`"),
        ("otc-dli", "SQL jobs", "Jobs of SQL", "tag `SQL jobs` removed"),
        ("otc-dli", "pattern: ^DLI", "pattern: ^DLJ", "pattern"),
        (
            "otc-dli",
            "        - $ref: '#/components/parameters/BatchId'\n",
            "",
            "deleted the `path` request parameter `batch_id`",
        ),
        ("otc-dli", "name: X-Sdk-Date", "name: X-Sdk-Time", "the header X-Sdk-Date of SdkHmacSha256 is gone"),
        ("otc-dli", "code: DLI.0007", "code: DLI.0070", "the code DLI.0007 with 400 in DliError is gone"),
        ("otc-dli", "- state: CANCELLED", "- state: CANCELED", "the state CANCELLED of cancelSqlJob is gone"),
        (
            "tencent-ci",
            "        name: Error\n",
            "        name: Fault\n",
            "the form in XML of CiError was 'name Error'",
        ),
    ],
    ids=lambda value: value.strip() if len(value) < 36 else "",
)
def test_a_change_that_breaks_somebody_wants_a_major_version(
    gate: ModuleType, folders: tuple[Path, Path], name: str, before: str, after: str, told: str
) -> None:
    change(folders[1], name, before, after)
    change(folders[1], name, "  version: 1.0.0", "  version: 1.1.0")

    head, *findings = gate.compared(*folders)

    assert head == f"{name}: info.version is 1.1.0, was 1.0.0; this wants 2.0.0:"
    assert told in "\n".join(findings)


def test_a_major_version_may_break(gate: ModuleType, folders: tuple[Path, Path]) -> None:
    change(folders[1], "otc-dli", "is_success:", "succeeded:")
    change(folders[1], "otc-dli", "  version: 1.0.0", "  version: 2.0.0")

    assert gate.compared(*folders) == []


def test_a_change_that_breaks_nobody_wants_a_higher_version(
    gate: ModuleType, folders: tuple[Path, Path]
) -> None:
    change(folders[1], "otc-dli", "summary: Cancels a SQL job.", "summary: Stops a SQL job.")

    wanted = "otc-dli: info.version is 1.0.0, was 1.0.0, and the document changed; it wants a higher one"
    assert gate.compared(*folders) == [wanted]
    change(folders[1], "otc-dli", "  version: 1.0.0", "  version: 1.0.1")
    assert gate.compared(*folders) == []


def test_the_same_documents_agree(gate: ModuleType, folders: tuple[Path, Path]) -> None:
    assert gate.compared(*folders) == []


def test_a_document_that_is_gone_is_told(gate: ModuleType, folders: tuple[Path, Path]) -> None:
    (folders[1] / "otc-dli.openapi.yaml").unlink()

    assert gate.compared(*folders) == ["otc-dli: the document is gone; other teams read it under this name"]
