"""The collections for Postman and Bruno, run by the command-line runners of both against a mock."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
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

from calloff.apis import APIS as API_TABLE

RUNNERS = Path(__file__).parent / "collections"
SPEC = toolchain.ROOT / "spec"
ACCEPTED = "the cancel is accepted"
DESCRIBED = "the document describes the answer"
REFUSED = "a request of nobody is refused"
READ = "the state is read"
TOOLS = ("postman", "bruno")
APIS = ("tencent-ci", "otc-dli", "huaweicloud-dli")
VARIABLES = {
    "cancelInventoryTriggerJob": "inventory_trigger_job_id",
    "cancelAiJob": "ai_job_id",
    "cancelBatchJob": "batch_job_id",
    "cancelSqlJob": "sql_job_id",
}
# The requests of an operation, and what is judged of each; the link of its document leads to the reading.
READS = {
    "cancelInventoryTriggerJob": "describeInventoryTriggerJob",
    "cancelAiJob": "describeAiJob",
    "cancelBatchJob": "getBatchJobState",
    "cancelSqlJob": "getSqlJobStatus",
}
JUDGED = {
    "{0}": {DESCRIBED, ACCEPTED},
    "{1}": {DESCRIBED, READ},
    "{0}-again": {DESCRIBED},
    "{0}-unsigned": {DESCRIBED, REFUSED},
}
Files = Mapping[str, bytes]
Told = dict[str, dict[str, str]]
every_tool = pytest.mark.parametrize("tool", TOOLS)
every_api = pytest.mark.parametrize("api", APIS)


@dataclass(frozen=True)
class Ran:
    """What a runner told: its status, and by request and test what failed, empty where nothing did."""

    status: int
    told: Told
    output: str


@dataclass(frozen=True)
class Entry:
    """Requests of one collection of many that run at once: its files, API and variables, the jobs that it names."""

    files: Files
    api: str
    values: Mapping[str, str]
    jobs: Mapping[str, str]
    requests: tuple[str, ...]


@dataclass(frozen=True)
class Runners:
    """The two runners with the collections, in a folder outside the checkout."""

    folder: Path

    def run(self, tool: str, api: str, values: dict[str, str]) -> Ran:
        """Run the collection of an API with an environment of these values."""
        return getattr(self, f"_{tool}")(api, values)  # type: ignore[no-any-return]

    def _postman(self, api: str, values: dict[str, str]) -> Ran:
        environment = self.folder / "environment.json"
        rows = [{"key": name, "value": value} for name, value in values.items()]
        environment.write_text(json.dumps({"name": "mock", "values": rows}), "utf-8")
        return self._newman(
            f"collections/postman/{api}.postman_collection.json", "--environment", environment.name
        )

    def _newman(self, collection: str, *options: str) -> Ran:
        report = self.folder / "newman.json"
        report.unlink(missing_ok=True)
        ran = toolchain.call(
            *("node_modules/.bin/newman", "run", collection, *options, "--timeout-request", "30000"),
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
        collection = self.folder / "collections" / "bruno" / api
        rows = "".join(f"  {name}: {value}\n" for name, value in values.items())
        (collection / "environments" / "mock.bru").write_text(f"vars {{\n{rows}}}\n", "utf-8")
        return self._bru(collection, "--env", "mock")

    def _bru(self, collection: Path, *options: str) -> Ran:
        runner, report = self.folder / "node_modules" / ".bin" / "bru", "report.json"
        (collection / report).unlink(missing_ok=True)
        ran = toolchain.call(
            *(runner, "run", "--noproxy", "--disable-cookies", "--reporter-json", report),
            *options,
            folder=collection,
        )
        told = {
            result["test"]["filename"].removesuffix(".bru"): {
                row["description"]: row.get("error", "") for row in result["testResults"]
            }
            for result in json.loads((collection / report).read_text("utf-8"))[0]["results"]
        }
        return Ran(ran.returncode, told, ran.stdout + ran.stderr)

    def run_all(self, tool: str, entries: Mapping[str, Entry]) -> dict[str, Told]:
        """Run many collections in one process, each as a folder that sets its own variables."""
        ran: Ran = getattr(self, f"_all_{tool}")(entries)
        told: dict[str, Told] = {key: {} for key in entries}
        for name, tests in ran.told.items():
            key, _, request = name.partition("/")
            told[key][request] = tests
        assert all(told.values()), ran.output
        return told

    def _all_postman(self, entries: Mapping[str, Entry]) -> Ran:
        folders = []
        for key, entry in entries.items():
            listed = json.loads(entry.files[f"collections/postman/{entry.api}.postman_collection.json"])
            items = [
                {**item, "name": f"{key}/{item['name']}"}
                for item in listed["item"]
                if item["name"] in entry.requests
            ]
            script = _setting("pm.variables.set", entry.values)
            event = {"listen": "prerequest", "script": {"type": "text/javascript", "exec": script}}
            folders.append({"name": key, "item": items, "event": [event]})
        info = {"name": "all", "schema": listed["info"]["schema"]}
        (self.folder / "all.json").write_text(json.dumps({"info": info, "item": folders}), "utf-8")
        return self._newman("all.json")

    def _all_bruno(self, entries: Mapping[str, Entry]) -> Ran:
        collection = self.folder / "all"
        collection.mkdir()
        about = {"version": "1", "name": "all", "type": "collection"}
        (collection / "bruno.json").write_text(json.dumps(about), "utf-8")
        for key, entry in entries.items():
            (collection / key).mkdir()
            for name in entry.requests:
                content = entry.files[f"collections/bruno/{entry.api}/{name}.bru"]
                (collection / key / f"{name}.bru").write_bytes(content)
            script = "\n".join(f"  {line}" for line in _setting("bru.setVar", entry.values))
            about_folder = f"meta {{\n  name: {key}\n}}\n\nscript:pre-request {{\n{script}\n}}\n"
            (collection / key / "folder.bru").write_text(about_folder, "utf-8")
        return self._bru(
            collection, "-r", "--sandbox", "developer"
        )  # the runs one by one are in the safe mode


def _setting(function: str, values: Mapping[str, str]) -> list[str]:
    every = dict.fromkeys(("access_key", "secret_id", "security_token", "strict", "token"), "") | dict(values)
    return [f"{function}({json.dumps(name)}, {json.dumps(value)});" for name, value in every.items()]


class Scripts:
    """The programs that write the collections, and the documents that they read."""

    def __init__(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(toolchain.ROOT / "scripts"))
            self._bundle, self._postman, self._bruno = (
                importlib.import_module(name) for name in ("bundle", "contract.postman", "contract.bruno")
            )
        documents = (f"{api}{kind}.openapi.yaml" for api in APIS for kind in ("", "-status"))
        self._texts = {name: (SPEC / name).read_text("utf-8") for name in documents}
        self._documents = {name: _parsed(text) for name, text in self._texts.items()}

    def handed_out(self) -> Files:
        """Make the collections of a bundle."""
        files: Files = self._bundle.collections(SPEC)
        return files

    def changed(self, api: str, document: str, after: str, word: str, becomes: str) -> Files:
        """Make the collections of an API from documents one of which has another word: the first after a line."""
        name = f"{document}.openapi.yaml"
        before, line, rest = self._texts[name].partition(f"\n{after}\n")
        assert line, after
        assert word in rest, word
        documents = self._documents | {name: _parsed(before + line + rest.replace(word, becomes, 1))}
        given = (api, documents[f"{api}.openapi.yaml"], documents)
        postman, bruno = self._postman.collection(*given), self._bruno.collection(*given)
        return {f"collections/postman/{path}": content for path, content in postman.items()} | {
            f"collections/bruno/{api}/{path}": content for path, content in bruno.items()
        }


def _parsed(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - safe


@pytest.fixture(scope="module")
def scripts() -> Scripts:
    return Scripts()


@pytest.fixture(scope="module")
def changes(scripts: Scripts) -> dict[str, tuple[str, Files]]:
    """Make the collections of every changed document, each with its API."""
    made = {}
    for key, (document, *change, _request, _message) in CHANGES.items():
        api = document.removesuffix("-status")
        made[key] = (api, scripts.changed(api, document, *change))
    return made


@pytest.fixture(scope="module")
def runners(scripts: Scripts, tmp_path_factory: pytest.TempPathFactory) -> Runners:
    toolchain.need("node", "npm")
    folder = tmp_path_factory.mktemp("collections")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(RUNNERS / name, folder)
    toolchain.build("npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", folder=folder)
    for path, content in scripts.handed_out().items():
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


# Word changes of documents, each with the request that shows it and what it is told: document, the line after which
# the word stands, the word, what it becomes.
CHANGES = {
    "status": (
        *("tencent-ci", "      operationId: cancelAiJob", "'200'", "'202'"),
        *("cancelAiJob", "200: not one of 202, 301,"),
    ),
    "content-type": (
        *("otc-dli", "    BatchCancelAccepted:", "application/json", "text/plain"),
        *("cancelBatchJob", "the content type is application/json, not text/plain"),
    ),
    "required-header": (
        *("tencent-ci", "    NotAuthenticated:", "x-ci-trace-id", "x-ci-tracing-id"),
        *("cancelInventoryTriggerJob-unsigned", "401: .*/?header .* required property 'x-ci-tracing-id'"),
    ),
    "header": (
        *("otc-dli", "    SqlCancelAnswered:", "X-Request-Id", "X-Request"),
        *("cancelSqlJob", "200: .*header .* additional properties: x-request-id"),
    ),
    "header-value": (
        *("tencent-ci", "    EmptyContentLength:", "const: '0'", "const: '1'"),
        *("cancelAiJob", "200: .*header.*content-length.* constant"),
    ),
    "member": (
        *("huaweicloud-dli", "    SqlCancelResult:", "is_success:", "is_succeeded:"),
        *("cancelSqlJob", "200: .*body .* additional properties: is_success"),
    ),
    "required-member": (
        *("huaweicloud-dli", "    DliError:", "error_msg", "error_message"),
        *("cancelSqlJob-again", "400: .*body .* required property 'error_message'"),
    ),
    "type": (
        *("otc-dli", "    SqlCancelResult:", "boolean", "integer"),
        *("cancelSqlJob", "200: .*body.is_success .* integer"),
    ),
    "error-code": (
        *("otc-dli", "    DliError:", "^DLI", "^DLX"),
        *("cancelBatchJob-again", "400: .*body.error_code .*DLX"),
    ),
    "gateway-code": (
        *("huaweicloud-dli", "    GatewayError:", "^APIG", "^GATE"),
        *("cancelSqlJob-unsigned", "401: .*body.error_code .*GATE"),
    ),
    "xml-root": (
        *("tencent-ci", "    CiError:", "name: Error", "name: Fault"),
        *("cancelAiJob-again", "403: the root is <Error>, not <Fault>"),
    ),
    "xml-element": (
        *("tencent-ci", "    CiError:", "Message,", "Reason,"),
        *("cancelAiJob-again", "403: .*body .* required property 'Reason'"),
    ),
    "state-member": (
        *("otc-dli-status", "    BatchState:", "        state:", "        status:"),
        *("getBatchJobState", "200: .*body .* additional properties: state"),
    ),
    "state-root": (
        *("tencent-ci-status", "    BatchJobAnswer:", "name: Response", "name: Answer"),
        *("describeInventoryTriggerJob", "200: the root is <Response>, not <Answer>"),
    ),
    "state-list": (
        *("tencent-ci-status", "    AiJobAnswer:", "type: array", "type: string"),
        *("describeAiJob", "200: .*body.JobsDetail.* string"),
    ),
    "state-type": (
        *("huaweicloud-dli-status", "    SqlJobStatus:", "boolean", "string"),
        *("getSqlJobStatus", "200: .*body.is_success .* string"),
    ),
    "state": (
        *("huaweicloud-dli-status", "    SqlJobStatus:", "CANCELLED", "CANCELED"),
        *("getSqlJobStatus", "200: .*body.status .* allowed values: .*CANCELED"),
    ),
}
KINDS = (("tencent-ci", "temporary"), ("otc-dli", "temporary"), ("otc-dli", "token"))


@dataclass(frozen=True)
class Batch:
    """Many collections that ran at once, and what was told of each."""

    entries: Mapping[str, Entry]
    told: Mapping[str, Told]


@pytest.fixture(scope="module", params=TOOLS)
def batch(
    request: pytest.FixtureRequest,
    runners: Runners,
    cloud: Cloud,
    scripts: Scripts,
    changes: dict[str, tuple[str, Files]],
) -> Batch:
    made, entries = scripts.handed_out(), {}

    def add(
        key: str, files: Files, api: str, *requests: str, kind: str = "good", ended: bool = False
    ) -> None:
        jobs = new_jobs(cloud, api, ended=ended)
        given = values(cloud, api, jobs, kind) | {"strict": "yes"}
        entries[key] = Entry(files, api, given, jobs, requests or tuple(judged(api)))

    for api in APIS:
        add(f"{api}-ended", made, api, *(case.operation.name for case in of(api)), ended=True)
    for api, kind in KINDS:
        add(f"{api}-{kind}", made, api, kind=kind)
    for key, (api, files) in changes.items():
        shown = CHANGES[key][4]
        before = {read: name for name, read in READS.items()}.get(shown, shown.partition("-")[0])
        add(f"change-{key}", files, api, *dict.fromkeys((before, shown)))
    return Batch(entries, runners.run_all(request.param, entries))


def judged(api: str) -> dict[str, set[str]]:
    return {
        request.format(case.operation.name, READS[case.operation.name]): tests
        for case in of(api)
        for request, tests in JUDGED.items()
    }


def failed(told: Told) -> dict[str, str]:
    return {
        f"{request}: {test}": told[request][test]
        for request in told
        for test in told[request]
        if told[request][test]
    }


@every_tool
@every_api
def test_every_operation_of_the_collection_cancels(
    runners: Runners, cloud: Cloud, tool: str, api: str
) -> None:
    jobs = new_jobs(cloud, api)

    ran = runners.run(tool, api, values(cloud, api, jobs) | {"strict": "yes"})

    assert {request: set(tests) for request, tests in ran.told.items()} == judged(api)
    assert failed(ran.told) == {}
    assert ran.status == 0
    for case in of(api):
        assert cloud.state(case, jobs[case.operation.name]) == case.cancelled


@pytest.mark.parametrize("key", [f"{api}-{kind}" for api, kind in KINDS])
def test_every_kind_of_credential_cancels(batch: Batch, cloud: Cloud, key: str) -> None:
    assert failed(batch.told[key]) == {}
    for case in of(batch.entries[key].api):
        assert cloud.state(case, batch.entries[key].jobs[case.operation.name]) == case.cancelled


@every_api
def test_a_refused_cancel_is_told_with_its_code(batch: Batch, api: str) -> None:
    told = batch.told[f"{api}-ended"]

    assert failed(told).keys() == {f"{case.operation.name}: {ACCEPTED}" for case in of(api)}
    for message in failed(told).values():
        assert re.match(r"40[03] (AccessDenied|DLI\.0007): .", message)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_word_of_a_document_fails_the_collection(batch: Batch, change: str) -> None:
    *_, request, message = CHANGES[change]
    told = batch.told[f"change-{change}"][request][DESCRIBED]

    assert re.search(message, told), told


def test_what_servers_may_choose_fails_no_collection(
    runners: Runners, start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]
) -> None:
    chosen = (
        *("ci-authentication-status=403", "ci-second-cancel=accepted"),
        *("dli-success-body=partial", "dli-gateway-prefix=APIG", "dli-not-cancellable=200-is-success-false"),
    )
    with start_mock(*(part for choice in chosen for part in ("--dialect", choice))) as announcement:
        cloud = Cloud(announcement)
        for api in ("tencent-ci", "otc-dli"):
            ran = runners.run(TOOLS[0], api, values(cloud, api, new_jobs(cloud, api)))

            assert failed(ran.told) == {}
        cloud.close()


@every_api
def test_a_collection_starts_with_the_host_that_the_clients_know(scripts: Scripts, api: str) -> None:
    files = scripts.handed_out()
    (known,) = (one for one in API_TABLE.values() if one.name == api)
    where = re.escape(known.host).replace(r"\{", "{").replace(r"\}", "}")
    expected = "https://" + where.format(
        **{name: f"(?:{pattern.strip('^$')})" for name, pattern in known.host_patterns.items()}
    )

    rows = json.loads(files[f"collections/postman/{api}.postman_environment.json"])["values"]
    (given,) = (row["value"] for row in rows if row["key"] == "base_url")
    assert re.fullmatch(expected, given)
    assert f"  base_url: {given}\n" in files[f"collections/bruno/{api}/environments/cloud.bru"].decode()


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

            do_GET = do_PUT = do_DELETE = _answer  # noqa: N815 - named by http.server

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.requests = requests
        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
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
    # Both tools sign by the same scripts, so one of them shows the rarer credentials, and both each signature.
    [
        (tool, *of_kind)
        for tool in TOOLS
        for of_kind in SCHEMES
        if tool == TOOLS[0] or of_kind in {("tencent-ci", "good"), ("huaweicloud-dli", "good")}
    ],
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
    sent = dict(zip(judged(api), recorder.requests, strict=True))
    for case in of(api):
        name = case.operation.name
        assert ran.told[name][ACCEPTED][:4] == "307 ", ran.output
        assert ran.told[name][DESCRIBED][:5] == "307: ", ran.output
        assert sent[f"{name}-again"][:2] == sent[f"{name}-unsigned"][:2] == sent[name][:2]
        assert not {"authorization", "x-auth-token", "x-sdk-date"} & sent[f"{name}-unsigned"][2].keys()
        method, target, headers = sent[name]
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

    # The one that goes without a signature needs no key.
    assert len(recorder.requests) == (1 if name == "secret_key" else 0)
    assert all("authorization" not in headers for _, _, headers in recorder.requests)
    assert ran.status == 1
    assert told in ran.output


@every_api
def test_a_collection_holds_every_operation_and_no_credential(scripts: Scripts, api: str) -> None:
    files = scripts.handed_out()

    listed = json.loads(files[f"collections/postman/{api}.postman_collection.json"])
    environment = json.loads(files[f"collections/postman/{api}.postman_environment.json"])
    requests = list(judged(api))
    assert [item["name"] for item in listed["item"]] == requests
    assert {f"collections/bruno/{api}/{name}.bru" for name in requests} <= files.keys()
    assert {row["value"] for row in environment["values"] if row["type"] == "secret"} == {""}
