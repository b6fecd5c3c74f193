"""``calloff whoami`` as a process of its own: which credential, from where, and whether the service takes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_server import Listener, reply

from calloff.mock.server import MockServer, run_embedded

COMMAND = [sys.executable, "-m", "calloff", "whoami"]
PLANTED = "planted-5ecret"
KEPT = {name: os.environ[name] for name in ("PATH", "HOME", "SYSTEMROOT") if name in os.environ}


def run(*words: str, status: int = 0, **environment: str) -> str:
    """Run the command with nothing else in its environment; return all that it says."""
    done = subprocess.run(
        [*COMMAND, *words],
        env={**KEPT, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == status, said
    assert "planted" not in said
    assert "Traceback" not in said
    return said


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    with run_embedded() as running:
        yield running


def at(mock: MockServer, api: str) -> dict[str, Any]:
    found: dict[str, Any] = mock.announcement["apis"][api]
    return found


def where(place: dict[str, Any]) -> list[str]:
    words = ["--base-url", place["base_url"]]
    words += ["--project-id", place["project_id"]] if "project_id" in place else ["--host", place["host"]]
    return words


def test_without_a_credential_it_tells_what_to_set_and_ends_with_2() -> None:
    said = run("otc-dli", status=2)
    assert "set OS_ACCESS_KEY and OS_SECRET_KEY; or give --access-key and --secret-key" in said
    assert "OS_*: not set" in said


def test_without_an_api_all_three_are_shown_and_one_credential_is_enough() -> None:
    said = run(HUAWEICLOUD_SDK_AK="AKIDEXAMPLE0001", HUAWEICLOUD_SDK_SK=PLANTED)
    assert [line for line in said.splitlines() if line and line[0] != " "] == [
        "tencent-ci",
        "otc-dli",
        "huaweicloud-dli",
    ]
    assert said.count("no credential for ") == 2
    assert "access key AKID…0001, from HUAWEICLOUD_SDK_*" in said
    run(status=2)


def test_the_source_that_won_and_those_that_did_not_are_shown() -> None:
    said = run(
        "huaweicloud-dli",
        HW_ACCESS_KEY="AKIDEXAMPLE0001",
        HW_SECRET_KEY=PLANTED,
        HW_REGION_NAME="cn-north-4",
        OS_USERNAME="ops",
        OS_PASSWORD="planted-password",  # pragma: allowlist secret
    )
    lines = [line.split(maxsplit=1) for line in said.splitlines()[1:]]
    assert ["credential", "access key AKID…0001, from HW_*"] in lines
    assert ["region", "cn-north-4"] in lines
    assert ["project", "none; give --project-id, or set CALLOFF_PROJECT_ID"] in lines
    assert "OS_*: not used: OS_USERNAME and OS_PASSWORD" in said


def test_a_half_filled_source_is_told_and_ends_with_2() -> None:
    said = run("tencent-ci", status=2, TENCENTCLOUD_SECRET_KEY=PLANTED, TENCENTCLOUD_TOKEN="planted-token")
    assert "TENCENTCLOUD_SECRET_KEY is set, but not TENCENTCLOUD_SECRET_ID" in said
    assert "TENCENTCLOUD_*: cannot be used" in said


def test_a_temporary_key_is_shown_with_its_end_as_data(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(
        json.dumps(
            {"id": "AKIDEXAMPLE0001", "secret": PLANTED, "token": "planted-t", "expires_at": 4102444800}
        ),
        "utf-8",
    )
    program = f"'{sys.executable}' -c 'print(open(\"{tmp_path / 'key.json'}\").read())'"
    (row,) = json.loads(
        run("otc-dli", "--credential-command", program, "--region", "eu-de", "--output", "json")
    )
    assert row == {
        "api": "otc-dli",
        "credential": {
            "source": "--credential-command",
            "identity": "temporary key AKID…0001",
            "project_id": None,
            "region": "eu-de",
            "expires_at": "2100-01-01T00:00:00Z",
        },
        "problem": None,
        "looked_at": [
            {"source": "options", "verdict": "not set"},
            {"source": "--credential-command", "verdict": "used"},
            {"source": "--cloud", "verdict": "not set"},
            {"source": "CALLOFF_*", "verdict": "not set"},
            {"source": "OS_CLOUD", "verdict": "not set"},
            {"source": "OS_*", "verdict": "not set"},
        ],
        "check": None,
    }


def test_a_cloud_of_clouds_yaml_is_shown(tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").write_text(
        "clouds: {otc: {region_name: eu-de, auth: {auth_url: 'https://iam.example/v3', username: ops, "
        f"password: {PLANTED}, user_domain_name: OTC-EXAMPLE, project_id: p1}}}}}}\n",
        "utf-8",
    )
    said = run("otc-dli", OS_CLOUD="otc", OS_CLIENT_CONFIG_FILE=str(tmp_path / "clouds.yaml"))
    assert "IAM user ops of OTC-EXAMPLE, from OS_CLOUD" in said


def test_nothing_is_sent_unless_the_service_shall_be_asked() -> None:
    with Listener(reply(404)) as server:
        words = ["--base-url", server.url, "--project-id", "p1"]
        run("otc-dli", *words, OS_TOKEN=PLANTED)
        assert server.requests == []
        said = run("otc-dli", *words, "--check", status=1, OS_TOKEN=PLANTED)
        assert "could not be asked: " in said
        assert "answered 404, and not in the words of the API; is it the right server?" in said
        assert [request.split(b" ")[0] for request in server.requests] == [b"GET"]


@pytest.mark.parametrize("api", ["tencent-ci", "otc-dli", "huaweicloud-dli"])
def test_the_service_accepts_a_good_key(api: str, mock: MockServer) -> None:
    place = at(mock, api)
    key = place["credentials"]
    own = {
        "CALLOFF_ACCESS_KEY": key.get("access_key") or key["secret_id"],
        "CALLOFF_SECRET_KEY": key["secret_key"],
    }
    said = run(api, "--check", *where(place), **own)
    assert "accepts it: it answered" in said
    assert key["secret_key"] not in said


@pytest.mark.parametrize("api", ["tencent-ci", "otc-dli", "huaweicloud-dli"])
def test_the_service_refuses_a_wrong_secret(api: str, mock: MockServer) -> None:
    place = at(mock, api)
    key = place["credentials"]
    own = {
        "CALLOFF_ACCESS_KEY": key.get("access_key") or key["secret_id"],
        "CALLOFF_SECRET_KEY": PLANTED,
    }
    said = run(api, "--check", *where(place), status=1, **own)
    assert "does not accept it: " in said


def test_the_service_accepts_a_token_and_a_user(mock: MockServer) -> None:
    place = at(mock, "otc-dli")
    token = place["credentials"]["token"]
    said = run("otc-dli", "--check", *where(place), OS_TOKEN=token)
    assert "accepts it" in said
    assert token not in said
    iam = mock.announcement["iam"]
    user = {
        "OS_AUTH_URL": f"{mock.announcement['iam_url']}/v3",
        "OS_USERNAME": iam["user"],
        "OS_PASSWORD": iam["password"],
        "OS_USER_DOMAIN_NAME": iam["domain"],
        "OS_PROJECT_ID": place["project_id"],
    }
    (row,) = json.loads(
        run("otc-dli", "--check", "--base-url", place["base_url"], "--output", "json", **user)
    )
    assert (row["check"]["verdict"], row["credential"]["identity"]) == (
        "accepted",
        f"IAM user {iam['user']} of {iam['domain']}",
    )
    said = run(
        "otc-dli", "--check", "--base-url", place["base_url"], status=1, **{**user, "OS_PASSWORD": PLANTED}
    )
    assert "IAM gave no token" in said


def test_a_service_that_cannot_be_reached_is_told() -> None:
    with Listener() as server:
        url = server.url
    said = run("otc-dli", "--check", "--base-url", url, "--project-id", "p1", status=1, OS_TOKEN=PLANTED)
    assert "could not be asked: " in said


@pytest.mark.parametrize("words", [["--check"], ["--token", "env:T"], ["--base-url", "http://127.0.0.1:1"]])
def test_what_concerns_one_api_needs_its_name(words: list[str]) -> None:
    assert "say for which API" in run(*words, status=2, T=PLANTED)


def test_a_check_needs_a_region() -> None:
    said = run("otc-dli", "--check", "--project-id", "p1", status=2, OS_TOKEN=PLANTED)
    assert "otc-dli needs a region, and the credential of OS_* names none: give --region" in said
