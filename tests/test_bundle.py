"""A bundle holds what it says, checks what it holds, and is the same every time."""

from __future__ import annotations

import importlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
bundle = importlib.import_module("bundle")
archive = importlib.import_module("contract.archive")

SPEC = ROOT / "spec"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
NAME = f"calloff-contract-{VERSION}"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    assert bundle.main([str(folder)]) == 0
    return folder


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SPEC, tmp_path / "spec"))


def test_every_document_is_there_in_four_forms(written: Path) -> None:
    contract = json.loads((written / NAME / "contract.json").read_text("utf-8"))

    assert contract["release"] == VERSION
    assert {f"{name}.openapi.yaml" for name in contract["documents"]} == {
        path.name for path in SPEC.glob("*.openapi.yaml")
    }
    for name, document in contract["documents"].items():
        source = (SPEC / f"{name}.openapi.yaml").read_bytes()
        forms = {form: (written / NAME / path).read_bytes() for form, path in document["files"].items()}
        assert forms["3.1-yaml"] == source
        assert without_links(json.loads(forms["3.1-json"])) == without_links(yaml.safe_load(source))
        assert without_links(json.loads(forms["3.0-json"])) == without_links(
            yaml.safe_load(forms["3.0-yaml"])
        )
        assert json.loads(forms["3.0-json"])["openapi"] == "3.0.4"
        assert document["version"] == yaml.safe_load(source)["info"]["version"]


def without_links(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: without_links(value) for key, value in node.items() if key != "operationRef"}
    return [without_links(item) for item in node] if isinstance(node, list) else node


@pytest.mark.parametrize("folder", ["openapi-3.0", "openapi-3.1"])
@pytest.mark.parametrize("form", ["yaml", "json"])
def test_a_link_leads_to_a_document_of_the_same_folder_and_form(
    written: Path, folder: str, form: str
) -> None:
    place = written / NAME / folder
    document = yaml.safe_load((place / f"otc-dli.openapi.{form}").read_text("utf-8"))

    link = document["components"]["responses"]["SqlCancelAnswered"]["links"]["readState"]["operationRef"]

    target, _, pointer = link.partition("#/")
    assert target == f"otc-dli-status.openapi.{form}"
    found = yaml.safe_load((place / target).read_text("utf-8"))
    for part in pointer.split("/"):
        found = found[part.replace("%7B", "{").replace("%7D", "}").replace("~1", "/")]
    assert found["operationId"] == "getSqlJobStatus"


@pytest.mark.parametrize("name", ["requirements", "silent-points"])
def test_the_catalogues_are_the_same_data_as_json(written: Path, name: str) -> None:
    handed_out = json.loads((written / NAME / f"{name}.json").read_text("utf-8"))

    assert handed_out == yaml.safe_load((SPEC / f"{name}.yaml").read_text("utf-8"))


def test_every_file_of_data_has_a_schema_and_keeps_it(written: Path) -> None:
    folder = written / NAME
    schemas = json.loads((folder / "contract.json").read_text("utf-8"))["schemas"]
    data = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.json")
        if not path.name.endswith((".schema.json", ".openapi.json"))
        and "collections" not in path.parts  # their forms are those of the tools
    }

    assert schemas.keys() == data
    for path, schema in schemas.items():
        validator = Draft202012Validator(json.loads((folder / schema).read_text("utf-8")))
        validator.check_schema(validator.schema)
        assert list(validator.iter_errors(json.loads((folder / path).read_text("utf-8")))) == []


def test_nothing_of_the_contract_is_forgotten(written: Path) -> None:
    handed_out = {path.name for path in (written / NAME).rglob("*") if path.is_file()}
    converted = {"requirements.yaml", "silent-points.yaml"}

    assert {path.name for path in SPEC.rglob("*") if path.is_file()} - handed_out == converted


def test_the_readme_names_all_that_is_there_and_nothing_else(written: Path) -> None:
    folder = written / NAME
    readme = (folder / "README.md").read_text("utf-8")
    table = readme[readme.index("## What is where") : readme.index("## Collections")]

    named = [
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(.+?)`", row)
    ]

    assert {name.rstrip("/") for name in named} | {"README.md"} == {path.name for path in folder.iterdir()}
    assert all((folder / name).is_dir() == name.endswith("/") for name in named)
    assert (folder / "CONTRACT.md").read_bytes() == (SPEC / "README.md").read_bytes()


def test_the_sums_cover_every_file_and_are_right(written: Path) -> None:
    folder = written / NAME
    listed = [line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text("utf-8").splitlines()]
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=60,
    )

    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {*listed, "SHA256SUMS"} == present
    assert checked.returncode == 0, checked.stderr


def test_the_archive_holds_the_folder_and_nothing_of_the_machine(written: Path) -> None:
    with tarfile.open(written / f"{NAME}.tar.gz") as packed:
        entries = packed.getmembers()
        packed_files = {
            entry.name: file.read() for entry in entries if (file := packed.extractfile(entry)) is not None
        }

    assert packed_files == {
        path.relative_to(written).as_posix(): path.read_bytes()
        for path in (written / NAME).rglob("*")
        if path.is_file()
    }
    assert [entry.name for entry in entries] == sorted(packed_files)
    assert {(entry.uid, entry.gid, entry.uname, entry.gname, entry.mode) for entry in entries} == {
        (0, 0, "", "", 0o644)
    }


def test_a_second_bundle_has_the_same_bytes(written: Path, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    command = [sys.executable, str(ROOT / "scripts" / "bundle.py"), str(tmp_path)]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)

    assert (tmp_path / f"{NAME}.tar.gz").read_bytes() == (written / f"{NAME}.tar.gz").read_bytes()


def test_the_time_of_the_entries_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    with tarfile.open(fileobj=io.BytesIO(archive.packed({"a": b"1"}, "root"))) as packed:
        assert [(entry.name, entry.mtime) for entry in packed.getmembers()] == [("root/a", 1700000000)]


def test_an_old_bundle_leaves_nothing_behind(tmp_path: Path) -> None:
    left = tmp_path / NAME / "left.txt"
    left.parent.mkdir()
    left.write_text("old", "utf-8")

    bundle.main([str(tmp_path)])

    assert not left.exists()


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        (
            "requirements.yaml",
            "    level: MUST",
            "    level: OUGHT",
            r"requirements.json: \$\.requirements\[0\]",
        ),
        ("silent-points.yaml", "    because:", "    reason:", r"silent-points.json: "),
        ("signing/q-sign.json", '"verdict": "valid"', '"verdict": "fine"', r"signing/q-sign.json: "),
        ("otc-dli.openapi.yaml", "  version: 1.0.0", "  edition: 1.0.0", r"otc-dli, OpenAPI 3\.1\.1: "),
        ("otc-dli.openapi.yaml", "  version: 1.0.0", "  version: 1.x", r"contract.json: \$\.documents"),
        (
            "otc-dli.openapi.yaml",
            "'#/components/responses/NotFound'",
            "'#/components/responses/NoFound'",
            r"otc-dli.openapi.yaml: #/paths/.*/delete/responses/404: \$ref leads nowhere: .*NoFound$",
        ),
        (
            "otc-dli.openapi.yaml",
            "otc-dli-status.openapi.yaml#/",
            "otc-dli-state.openapi.yaml#/",
            r"/links/readState: operationRef leads nowhere: otc-dli-state\.openapi\.yaml#/",
        ),
        (
            "otc-dli.openapi.yaml",
            "batch_id%7D~1state/get",
            "batch_id%7D~1status/get",
            r"/links/readState: operationRef leads nowhere: ",
        ),
        (
            "silent-points.yaml",
            "default: refused",
            "default: refusal",
            r"silent-points.json: ci-second-cancel: the default refusal is none of refused, accepted",
        ),
        (
            "silent-points.yaml",
            "id: ci-second-cancel",
            "id: ci-unknown-job",
            r"silent-points.json: the id ci-unknown-job stands twice",
        ),
        (
            "requirements.yaml",
            "id: malformed-id-refused",
            "id: id-matched-whole",
            r"requirements.json: the id id-matched-whole stands twice",
        ),
        ("requirements.yaml", "version: 1", "version: [1", r"requirements.yaml: no YAML: "),
    ],
    ids=[
        *(
            "requirement",
            "silent-point",
            "vector",
            "document",
            "version",
            "reference",
            "file-of-link",
            "link",
        ),
        *("default", "id-of-silent-point", "id-of-requirement", "yaml"),
    ],
)
def test_what_breaks_its_form_is_not_handed_out(
    copied: Path, name: str, old: str, new: str, told: str
) -> None:
    text = (copied / name).read_text("utf-8")
    assert old in text
    (copied / name).write_text(text.replace(old, new, 1), "utf-8")

    with pytest.raises(bundle.BundleError, match=told):
        bundle.contents(copied, VERSION)


def test_a_link_that_gives_what_nobody_asked_for_is_refused(copied: Path) -> None:
    path = copied / "otc-dli.openapi.yaml"
    text = path.read_text("utf-8")
    assert "$request.path.batch_id" in text
    path.write_text(text.replace("$request.path.batch_id", "$request.path.batch"), "utf-8")

    with pytest.raises(
        ValueError, match=r"^cancelBatchJob: the link to /v2.0/.*/state of otc-dli-status.* gives "
    ):
        bundle.collections(copied)


@pytest.mark.parametrize("document", ["otc-dli", "tencent-ci-status", "mock-control"])
def test_a_broken_reference_is_told_in_a_sentence(
    tmp_path: Path,
    copied: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    document: str,
) -> None:
    path = copied / f"{document}.openapi.yaml"
    path.write_text(
        path.read_text("utf-8").replace("'#/components/schemas/", "'#/components/schema/", 1), "utf-8"
    )
    monkeypatch.setattr(bundle, "SPEC", copied)

    assert bundle.main([str(tmp_path / "out")]) == 1

    told = capsys.readouterr().err
    assert re.fullmatch(rf"bundle: {document}\.openapi\.yaml: #/.*: \$ref leads nowhere: #/\S+\n", told)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda it: it.update(release="0.1.0; true"), "$.release"),
        (lambda it: it.update(release="0.1"), "$.release"),
        (lambda it: it["schemas"].update(a="schemas/../../a"), "$.schemas.a"),
        (lambda it: it["schemas"].update(a="/a"), "$.schemas.a"),
        (lambda it: it["schemas"].update(a="a//b"), "$.schemas.a"),
    ],
    ids=["no version", "half a version", "upwards", "absolute", "empty part"],
)
def test_a_list_of_contents_that_leads_elsewhere_is_refused(
    written: Path, change: Callable[[dict[str, Any]], None], place: str
) -> None:
    contract = json.loads((written / NAME / "contract.json").read_text("utf-8"))
    schema = json.loads((written / NAME / "schemas" / "bundle.schema.json").read_text("utf-8"))
    change(contract)

    assert [error.json_path for error in Draft202012Validator(schema).iter_errors(contract)] == [place]


def test_wrong_use_is_told() -> None:
    assert bundle.main([]) == 2
    assert bundle.main(["--help"]) == 2
