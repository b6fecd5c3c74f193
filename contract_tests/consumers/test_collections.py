"""The collections for Postman and Bruno, run by the command-line runners of both against a mock."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Self

import pytest
import toolchain
import yaml
from cloud import CASES, Case, Cloud

RUNNERS = Path(__file__).parent / "collections"
SPEC = toolchain.ROOT / "spec"
ACCEPTED = "the cancel is accepted"
TYPED = "the error has the form of the document"
TOOLS = ("postman", "bruno")
APIS = ("tencent-ci", "otc-dli", "huaweicloud-dli")
VARIABLES = {
    "cancelInventoryTriggerJob": "inventory_trigger_job_id",
    "cancelAiJob": "ai_job_id",
    "cancelBatchJob": "batch_job_id",
    "cancelSqlJob": "sql_job_id",
}
every_tool = pytest.mark.parametrize("tool", TOOLS)
every_api = pytest.mark.parametrize("api", APIS)


@dataclass(frozen=True)
class Ran:
    """What a runner told: its status, and by request and test what failed, empty where nothing did."""

    status: int
    told: dict[str, dict[str, str]]
    output: str


@dataclass(frozen=True)
class Runners:
    """The two runners with the collections, in a folder outside the checkout."""

    folder: Path

    def run(self, tool: str, api: str, values: dict[str, str]) -> Ran:
        """Run the collection of an API with an environment of these values."""
        return getattr(self, f"_{tool}")(api, values)  # type: ignore[no-any-return]

    def _postman(self, api: str, values: dict[str, str]) -> Ran:
        environment, report = self.folder / "environment.json", self.folder / "newman.json"
        report.unlink(missing_ok=True)
        rows = [{"key": name, "value": value} for name, value in values.items()]
        environment.write_text(json.dumps({"name": "mock", "values": rows}), "utf-8")
        ran = toolchain.call(
            *("node_modules/.bin/newman", "run", f"collections/postman/{api}.postman_collection.json"),
            *("--environment", environment.name, "--timeout-request", "30000"),
            *("--reporters", "cli,json", "--reporter-json-export", report.name),
            folder=self.folder,
        )
        told = {
            execution["item"]["name"]: {
                row["assertion"]: row.get("error", {}).get("message", "")
                for row in execution.get("assertions", [])
            }
            for execution in json.loads(report.read_text("utf-8"))["run"]["executions"]
        }
        return Ran(ran.returncode, told, ran.stdout + ran.stderr)

    def _bruno(self, api: str, values: dict[str, str]) -> Ran:
        collection, report = self.folder / "collections" / "bruno" / api, "report.json"
        (collection / report).unlink(missing_ok=True)
        rows = "".join(f"  {name}: {value}\n" for name, value in values.items())
        (collection / "environments" / "mock.bru").write_text(f"vars {{\n{rows}}}\n", "utf-8")
        runner = self.folder / "node_modules" / ".bin" / "bru"
        ran = toolchain.call(
            *(runner, "run", "--env", "mock", "--noproxy", "--disable-cookies", "--reporter-json", report),
            folder=collection,
        )
        told = {
            result["test"]["filename"].removesuffix(".bru"): {
                row["description"]: row.get("error", "") for row in result["testResults"]
            }
            for result in json.loads((collection / report).read_text("utf-8"))[0]["results"]
        }
        return Ran(ran.returncode, told, ran.stdout + ran.stderr)


@pytest.fixture(scope="module")
def runners(tmp_path_factory: pytest.TempPathFactory) -> Runners:
    toolchain.need("node", "npm")
    folder = tmp_path_factory.mktemp("collections")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(RUNNERS / name, folder)
    toolchain.build("npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", folder=folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(toolchain.ROOT / "scripts"))
        bundle = importlib.import_module("bundle")
    for path, content in bundle.collections(SPEC).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return Runners(folder)


@pytest.fixture(scope="module")
def cloud(start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> Iterator[Cloud]:
    with start_mock() as announcement:
        cloud = Cloud(announcement)
        yield cloud
        cloud.close()


def of(api: str) -> list[Case]:
    return [case for case in CASES if case.operation.api == api]


def values(cloud: Cloud, api: str, jobs: dict[str, str], kind: str = "good") -> dict[str, str]:
    """Give the variables of a collection: where the mock is, who asks, a job for each operation."""
    keys, place = cloud.keys(of(api)[0], kind), cloud.announcement["apis"][api]
    who = {"secret_id" if api == "tencent-ci" else "access_key": keys.key_id, "secret_key": keys.secret_key}
    return {
        "base_url": place["base_url"],
        "project_id": place.get("project_id", ""),
        **{VARIABLES[operation]: job for operation, job in jobs.items()},
        **({"token": keys.token} if keys.token else who),
        "security_token": keys.security_token,
    }


def new_jobs(cloud: Cloud, api: str, *, ended: bool = False) -> dict[str, str]:
    return {case.operation.name: cloud.job(case, case.ended if ended else None) for case in of(api)}


@every_tool
@pytest.mark.parametrize(
    ("api", "kind"),
    [
        *((api, "good") for api in APIS),
        ("tencent-ci", "temporary"),
        ("otc-dli", "temporary"),
        ("otc-dli", "token"),
    ],
)
def test_every_operation_of_the_collection_cancels(
    runners: Runners, cloud: Cloud, tool: str, api: str, kind: str
) -> None:
    jobs = new_jobs(cloud, api)

    ran = runners.run(tool, api, values(cloud, api, jobs, kind))

    assert ran.told == {operation: {ACCEPTED: ""} for operation in jobs}, ran.output
    assert ran.status == 0
    for case in of(api):
        assert cloud.state(case, jobs[case.operation.name]) == case.cancelled


@every_tool
@every_api
def test_an_error_is_typed(runners: Runners, cloud: Cloud, tool: str, api: str) -> None:
    jobs = new_jobs(cloud, api, ended=True)

    ran = runners.run(tool, api, values(cloud, api, jobs))

    assert ran.status == 1
    assert ran.told.keys() == jobs.keys()
    for told in ran.told.values():
        assert re.match(r"40[03] (AccessDenied|DLI\.0007): .", told[ACCEPTED]), ran.output
        assert told[TYPED] == ""


class Recorder:
    """A server that notes what arrives and sends everybody elsewhere."""

    def __init__(self) -> None:
        requests: list[tuple[str, str, dict[str, str]]] = []

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                requests.append((self.command, self.path, headers))
                self.send_response(307)
                port = self.headers["Host"].rpartition(":")[2]
                self.send_header("Location", f"http://localhost:{port}/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_PUT = do_DELETE = _answer  # noqa: N815 - named by http.server

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.requests = requests
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


# The schemes of a document that each kind of credential goes by.
SCHEMES = {
    ("tencent-ci", "good"): ("QSignHeader",),
    ("tencent-ci", "temporary"): ("QSignHeader", "CiSecurityToken"),
    ("otc-dli", "good"): ("SdkHmacSha256",),
    ("otc-dli", "temporary"): ("SdkHmacSha256",),
    ("otc-dli", "token"): ("AuthToken",),
    ("huaweicloud-dli", "good"): ("SdkHmacSha256",),
}


def headers_of(document: dict[str, Any], schemes: tuple[str, ...]) -> dict[str, str]:
    """Name the headers of a request by these schemes, as the document does, each with whether it is required."""
    declared = [document["components"]["securitySchemes"][name] for name in schemes]
    rows = [
        *document["x-companion-headers"],
        *(row for one in declared for row in one.get("x-companion-headers", ())),
    ]
    return {row["name"].lower(): row["required"] for row in rows} | {
        one["name"].lower(): "always" for one in declared
    }


@pytest.mark.parametrize(
    ("tool", "api", "kind"),
    # Both tools sign by one script, so one of them shows the rarer credentials.
    [(tool, *of_kind) for tool in TOOLS for of_kind in SCHEMES if of_kind[1] == "good" or tool == TOOLS[0]],
)
def test_what_leaves_is_what_the_document_says_and_no_redirect_is_followed(
    runners: Runners, cloud: Cloud, tool: str, api: str, kind: str
) -> None:
    jobs = new_jobs(cloud, api)
    given = values(cloud, api, jobs, kind)
    document = yaml.safe_load((SPEC / f"{api}.openapi.yaml").read_text("utf-8"))
    named = headers_of(document, SCHEMES[api, kind])
    with Recorder() as recorder:
        ran = runners.run(tool, api, given | {"base_url": recorder.url})

    assert ran.status == 1
    assert {told[ACCEPTED][:4] for told in ran.told.values()} == {"307 "}, ran.output
    for case, (method, target, headers) in zip(of(api), recorder.requests, strict=True):
        assert method == case.operation.method
        path = case.operation.path.replace("{project_id}", given["project_id"])
        path = re.sub(r"\{\w+\}", jobs[case.operation.name], path)
        assert target in ({f"{path}?cancel", f"{path}?cancel="} if case.operation.query else {path})
        assert headers.get("content-length", "0") == "0"
        assert [name for name, need in named.items() if need == "always" and name not in headers] == []
        assert [name for name, need in named.items() if need == "never" and name in headers] == []
        if kind == "temporary":
            assert {"x-ci-security-token", "x-security-token"} & headers.keys() & named.keys()
        if api == "huaweicloud-dli":
            assert headers["content-type"] == "application/json"


@every_tool
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("sql_job_id", "..", "sql_job_id must match"),
        ("secret_key", "", "set the variable secret_key"),
        ("base_url", "{}/", "without a slash at the end"),
    ],
)
def test_a_request_that_was_not_meant_does_not_leave(
    runners: Runners, cloud: Cloud, tool: str, name: str, value: str, told: str
) -> None:
    api = "huaweicloud-dli"
    with Recorder() as recorder:
        given = values(cloud, api, new_jobs(cloud, api)) | {"base_url": recorder.url}
        ran = runners.run(tool, api, given | {name: value.format(recorder.url)})

    assert recorder.requests == []
    assert ran.status == 1
    assert told in ran.output


@every_api
def test_a_collection_holds_every_operation_and_no_credential(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(toolchain.ROOT / "scripts"))
    files = importlib.import_module("bundle").collections(SPEC)

    listed = json.loads(files[f"collections/postman/{api}.postman_collection.json"])
    environment = json.loads(files[f"collections/postman/{api}.postman_environment.json"])
    operations = [case.operation.name for case in of(api)]
    assert [item["name"] for item in listed["item"]] == operations
    assert {f"collections/bruno/{api}/{name}.bru" for name in operations} <= files.keys()
    assert {row["value"] for row in environment["values"] if row["type"] == "secret"} == {""}
