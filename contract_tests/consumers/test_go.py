"""The consumer in Go: vetted, linted, and run against a mock; and what it is generated from."""

from __future__ import annotations

import importlib
import json
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import toolchain
from cloud import CASES, Case, Cloud

PROGRAM = Path("contract_tests") / "consumers" / "go"
VECTORS = toolchain.ROOT / "spec" / "signing"
SCRIPTS = toolchain.ROOT / "scripts"
STRICT = ("--dialect", "dli-content-type-absent=400-dli-0001", "--dialect", "ci-content-length=411")
# Where Go keeps its caches, and how it was told to work.
GO = {name: value for name, value in os.environ.items() if name.startswith("GO")}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what is built, its dependencies downloaded as go.sum pins them."""
    toolchain.need("go", "gofmt")
    checkout = toolchain.copied(tmp_path_factory.mktemp("go"), "generated/go", PROGRAM.as_posix())
    toolchain.build("go", "mod", "download", folder=checkout / PROGRAM)
    return checkout


@pytest.fixture(scope="module")
def built(checkout: Path) -> Path:
    toolchain.build("go", "build", "-o", "consumer", ".", folder=checkout / PROGRAM)
    return checkout / PROGRAM


@pytest.fixture(scope="module")
def cloud(start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> Iterator[Cloud]:
    toolchain.need("go", "gofmt")
    with start_mock() as announcement:
        cloud = Cloud(announcement)
        yield cloud
        cloud.close()


@pytest.fixture(scope="module")
def strict(start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> Iterator[Cloud]:
    """Give a mock that refuses what no vendor says is refused: a request without a header that its guide demands."""
    toolchain.need("go", "gofmt")
    with start_mock(*STRICT) as announcement:
        cloud = Cloud(announcement)
        yield cloud
        cloud.close()


@pytest.mark.parametrize(
    "command",
    [
        ("gofmt", "-l", "."),
        ("go", "mod", "tidy", "-diff"),
        ("go", "vet", "./..."),
        ("go", "tool", "-modfile=tools/go.mod", "staticcheck", "./..."),
    ],
    ids=["gofmt", "tidy", "vet", "staticcheck"],
)
def test_it_is_written_as_its_linters_and_formatter_want(built: Path, command: tuple[str, ...]) -> None:
    assert toolchain.build(*command, folder=built) == ""


def test_its_own_tests_pass_against_a_mock(built: Path, cloud: Cloud) -> None:
    given = GO | {"CALLOFF_MOCK": json.dumps(cloud.announcement), "CALLOFF_VECTORS": str(VECTORS)}

    # The linters have vetted it.
    ran = toolchain.call("go", "test", "-count=1", "-vet=off", "-json", "./...", folder=built, given=given)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    ended = Counter(event["Action"] for event in events if "Test" in event)
    assert ended["skip"] == ended["fail"] == 0
    names = {event["Test"] for event in events if event["Action"] == "pass" and "Test" in event}
    held = {
        kind: {name.partition(kind)[2] for name in names if kind in name} for kind in ("/signs/", "/refuses/")
    }
    assert held == {
        "/signs/": {case["name"] for case in vectors() if "not_for_signers" not in case},
        # A signature of the past is right in all but its time, and a signer knows no other time.
        "/refuses/": {
            case["name"] for case in vectors() if not case.get("reason", "time:").startswith("time:")
        },
    }


def vectors() -> list[Any]:
    return [
        case
        for path in VECTORS.glob("*.json")
        for case in json.loads(path.read_text("utf-8")).get("cases", [])
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_program_cancels_a_job(built: Path, cloud: Cloud, case: Case) -> None:
    job = cloud.job(case)

    told = started(built, cloud, case, job)

    assert told == (0, f"{job} accepted\n", "")
    assert cloud.state(case, job) == case.cancelled


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_program_sends_the_headers_that_a_strict_server_demands(
    built: Path, strict: Cloud, case: Case
) -> None:
    job = strict.job(case)

    assert started(built, strict, case, job) == (0, f"{job} accepted\n", "")
    assert strict.state(case, job) == case.cancelled


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_program_reads_every_documented_state(built: Path, strict: Cloud, case: Case) -> None:
    states = case.operation.status.states
    jobs = {strict.job(case, state): state for state in states}

    told = started(built, strict, case, *jobs, call=case.operation.status.key)

    lines = [f'{job} "{state}" final={str(states[state]).lower()}\n' for job, state in jobs.items()]
    assert told == (0, "".join(lines), "")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_program_tells_a_refusal(built: Path, cloud: Cloud, case: Case) -> None:
    job = cloud.job(case, case.ended)

    status, _, told = started(built, cloud, case, job)

    assert status == 1
    assert re.fullmatch(
        rf'"{job}": the service refused with (403 AccessDenied|400 DLI\.0007), request \S+\n', told
    )


def test_the_program_sends_no_hostile_id(built: Path, cloud: Cloud) -> None:
    status, _, told = started(built, cloud, CASES[-1], "..")

    assert status == 2
    assert told.startswith('"..": invalid argument: job id must match')


def started(built: Path, cloud: Cloud, case: Case, *jobs: str, call: str = "") -> tuple[int, str, str]:
    """Run the program, to cancel if no other call is named; give its status and what it wrote to its two streams."""
    keys, api = cloud.keys(case, "good"), cloud.announcement["apis"][case.operation.api]
    given = {"ENDPOINT": api["base_url"], "KEY_ID": keys.key_id, "SECRET_KEY": keys.secret_key}
    given |= {"PROJECT_ID": api.get("project_id", "")}
    ran = toolchain.call(built / "consumer", call or case.operation.key, *jobs, folder=built, given=given)
    assert keys.secret_key not in ran.stdout + ran.stderr
    return ran.returncode, ran.stdout, ran.stderr


def test_what_the_page_says_to_copy_is_a_module_of_its_own(checkout: Path, tmp_path: Path) -> None:
    page = (toolchain.ROOT / "docs" / "languages" / "go.md").read_text("utf-8")
    (commands,) = re.findall(r"^```console\n(\$ go mod init .*?)^```$", page, re.DOTALL | re.MULTILINE)

    script = re.sub(r"^\$ ", "", commands, flags=re.MULTILINE)
    toolchain.build("env", f"CALLOFF={checkout}", "bash", "-ec", script, folder=tmp_path)

    assert toolchain.build("go", "vet", "./...", folder=tmp_path) == ""


# --- What it is generated from -----------------------------------------------------------------------------------


def test_another_generation_gives_what_is_committed() -> None:
    toolchain.need("go")
    check = (sys.executable, SCRIPTS / "generate.py", "--check", "--language", "go")
    assert toolchain.build(*check, folder=toolchain.ROOT).endswith("nothing to do\n")


@pytest.mark.parametrize(
    ("document", "word", "other", "errors"),
    [
        ("otc-dli", "is_success:", "is_success:", []),
        ("otc-dli", "is_success:", "succeeded:", ["result.IsSuccess undefined"]),
        ("tencent-ci", "      name: cancel\n", "      name: delete\n", ["unknown field Cancel"]),
        ("tencent-ci", "        Code:\n", "        Word:\n", ["told.Code undefined", "CI.Code undefined"]),
    ],
    ids=["unchanged", "is_success", "cancel", "Code"],
)
def test_a_changed_word_of_a_document_breaks_the_build(
    checkout: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    document: str,
    word: str,
    other: str,
    errors: list[str],
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    generator = importlib.import_module("codegen.go")
    changed = toolchain.copied(tmp_path, "spec") / "spec" / f"{document}.openapi.yaml"
    text = changed.read_text("utf-8")
    assert word in text
    changed.write_text(text.replace(word, other), "utf-8")
    monkeypatch.setattr(generator, "SPEC", tmp_path / "spec")
    shutil.copytree(checkout / PROGRAM, tmp_path / PROGRAM)
    client = tmp_path / "generated" / "go"
    client.mkdir(parents=True)

    generator.generate(client)

    ran = toolchain.call("go", "build", "-o", "consumer", ".", folder=tmp_path / PROGRAM, given=GO)
    assert bool(ran.returncode) == bool(errors), ran.stderr
    assert all(error in ran.stderr for error in errors), ran.stderr
