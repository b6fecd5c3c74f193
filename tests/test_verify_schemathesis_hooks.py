"""A plain schemathesis run with our hooks: what is sent is signed, and nothing that was signed is told."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest
from fake_target import (
    PROJECT,
    SECRET_KEY,
    SECURITY_TOKEN,
    TOKEN,
    FakeTarget,
    Reply,
    Script,
    Seen,
    json_reply,
)

from calloff.apis import ApiName
from calloff.mock.server import run_embedded
from calloff.resources import spec_path

HOOKS = "calloff.verify.schemathesis_hooks"
PAIR = {"CALLOFF_ACCESS_KEY": "KEYID", "CALLOFF_SECRET_KEY": SECRET_KEY}
TEMPORARY = {**PAIR, "CALLOFF_SECURITY_TOKEN": SECURITY_TOKEN}
REPORTS = "junit,vcr,har,ndjson,json,wfc,pytest,html"
QUICK = ("--phases", "examples,fuzzing", "--max-examples", "5", "--seed", "1")


def schemathesis(
    folder: Path, document: Path, url: str, environment: Mapping[str, str], *options: str
) -> subprocess.CompletedProcess[str]:
    # A folder of its own: schemathesis remembers former runs in the working directory.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CALLOFF_")}
    return subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", url, *options],
        cwd=folder,
        env={**clean, "SCHEMATHESIS_HOOKS": HOOKS, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def document_of(api: ApiName) -> Path:
    return spec_path(f"{api}.openapi.yaml")


def echo(_: FakeTarget, request: Seen) -> Reply:
    """Answer what no document allows, and show the caller everything that it sent."""
    reply = json_reply(418, {"error_code": 0, "you sent": dict(request.headers)})
    shown = [
        ("X-Echo", value) for name, value in request.headers if name in {"Authorization", "X-Auth-Token"}
    ]
    return Reply(reply.status, reply.body, (*reply.headers, *shown))


def hang_up(_: FakeTarget, __: Seen) -> Reply:
    return Reply(200, raw=b"")


def signatures(seen: list[Seen]) -> set[str]:
    return {
        found
        for request in seen
        for found in re.findall(r"[Ss]ignature=([0-9a-f]+)", request.header("Authorization"))
    }


def forms(secret: str) -> set[str]:
    inside = base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]
    return {
        secret,
        quote(secret, safe=""),
        quote(secret),
        json.dumps(secret)[1:-1].replace("/", "\\/"),
        inside,
    }


LEAKS: list[tuple[ApiName, dict[str, str], Script, str]] = [
    ("otc-dli", {"CALLOFF_TOKEN": TOKEN}, echo, "false"),
    ("otc-dli", {"CALLOFF_TOKEN": TOKEN}, echo, "true"),
    ("otc-dli", TEMPORARY, echo, "false"),
    ("huaweicloud-dli", PAIR, hang_up, "false"),
    ("tencent-ci", TEMPORARY, echo, "false"),
    ("tencent-ci", PAIR, hang_up, "true"),
]


@pytest.mark.parametrize(("api", "keys", "script", "sanitize"), LEAKS)
def test_no_report_shows_a_token_or_a_signature(
    tmp_path: Path, api: ApiName, keys: dict[str, str], script: Script, sanitize: str
) -> None:
    with FakeTarget(api, script=script) as fake:
        environment = {**keys, "CALLOFF_PROJECT_ID": PROJECT, "CALLOFF_PROVIDER_STATES": fake.states_url}
        options = (*QUICK, "--report", REPORTS, "--report-preserve-bytes", "--output-sanitize", sanitize)
        result = schemathesis(tmp_path, document_of(api), fake.url, environment, *options)
        seen = list(fake.seen)

    assert result.returncode == 1, result.stdout + result.stderr
    secrets = {value for name, value in keys.items() if name != "CALLOFF_ACCESS_KEY"} | signatures(seen)
    sent = "\n".join(value for request in seen for _, value in request.headers)
    assert any(secret in sent for secret in secrets)
    told = {
        path.name: path.read_bytes().decode("utf-8", "replace")
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert len(told) >= len(REPORTS.split(","))
    told["the terminal"] = result.stdout + result.stderr
    for secret in secrets:
        for form in forms(secret):
            assert [name for name, text in told.items() if form in text] == []


@pytest.mark.parametrize("api", ["tencent-ci", "otc-dli", "huaweicloud-dli"])
def test_a_right_server_is_found_right_and_cancels(tmp_path: Path, api: ApiName) -> None:
    with run_embedded([api]) as server:
        base_url = server.announcement["apis"][api]["base_url"]
        environment = {"CALLOFF_PROVIDER_STATES": server.announcement["provider_states_url"]}
        options = (
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "10",
            "--report-har-path",
            "run.har",
        )
        result = schemathesis(tmp_path, document_of(api), base_url, environment, *options)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "No issues found" in result.stdout
    archive = json.loads((tmp_path / "run.har").read_text("utf-8"))
    statuses = [entry["response"]["status"] for entry in archive["log"]["entries"]]
    assert statuses.count(200) > 10


def test_links_into_other_documents_are_no_error(tmp_path: Path) -> None:
    with run_embedded(["otc-dli"]) as server:
        base_url = server.announcement["apis"]["otc-dli"]["base_url"]
        environment = {"CALLOFF_PROVIDER_STATES": server.announcement["provider_states_url"]}
        options = ("--phases", "examples,stateful", "--max-examples", "1")
        result = schemathesis(tmp_path, document_of("otc-dli"), base_url, environment, *options)

    assert "Missing Open API links" not in result.stdout
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_server_that_accepts_any_token_is_found(tmp_path: Path) -> None:
    with run_embedded(["otc-dli"], mutant="dli-any-token-accepted") as server:
        base_url = server.announcement["apis"]["otc-dli"]["base_url"]
        environment = {"CALLOFF_PROVIDER_STATES": server.announcement["provider_states_url"]}
        result = schemathesis(tmp_path, document_of("otc-dli"), base_url, environment, *QUICK)

    assert result.returncode == 1
    assert "invalid authentication" in result.stdout


def test_without_a_credential_the_run_says_what_to_set(tmp_path: Path) -> None:
    with FakeTarget("otc-dli") as fake:
        result = schemathesis(tmp_path, document_of("otc-dli"), fake.url, {}, *QUICK)

    assert result.returncode == 1
    assert "no credential: set CALLOFF_ACCESS_KEY" in result.stdout


def run_where_no_server_tells(folder: Path, **environment: str) -> tuple[str, list[Seen]]:
    """Run with a document whose servers are nobody's; return what was printed, and what came."""
    document = folder / "moved.openapi.yaml"
    text = (
        document_of("otc-dli")
        .read_text("utf-8")
        .replace("dli.{region}.otc.t-systems.com", "{region}.example")
    )
    document.write_text(text, "utf-8")
    keys = {"CALLOFF_TOKEN": TOKEN, "CALLOFF_PROJECT_ID": PROJECT}
    options = (*QUICK, "--include-operation-id", "cancelSqlJob")
    with FakeTarget("otc-dli") as fake:
        result = schemathesis(folder, document, fake.url, {**keys, **environment}, *options)
    return result.stdout, fake.seen


@pytest.mark.parametrize(
    ("named", "asked"), [("", "set CALLOFF_API"), ("nonsense", "CALLOFF_API: expected one of")]
)
def test_a_path_of_two_apis_needs_a_name(tmp_path: Path, named: str, asked: str) -> None:
    printed, seen = run_where_no_server_tells(tmp_path, CALLOFF_API=named)

    assert asked in printed
    assert TOKEN not in {request.header("X-Auth-Token") for request in seen}


def test_the_named_api_is_signed_for(tmp_path: Path) -> None:
    _, seen = run_where_no_server_tells(tmp_path, CALLOFF_API="otc-dli")

    assert TOKEN in {request.header("X-Auth-Token") for request in seen}
