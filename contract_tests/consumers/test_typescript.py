"""The consumer in TypeScript: compiled strictly, linted, and run against a mock; and what it is generated from."""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import toolchain
from cloud import CASES, Case, Cloud

PROGRAM = Path("contract_tests") / "consumers" / "typescript"
VECTORS = str(toolchain.ROOT / "spec" / "signing")
SCRIPTS = toolchain.ROOT / "scripts"
STRICT = ("--dialect", "dli-content-type-absent=400-dli-0001", "--dialect", "ci-content-length=411")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program, its dependencies installed as the lock file pins them, compiled."""
    toolchain.need("node", "npm")
    checkout = tmp_path_factory.mktemp("typescript")
    folder = toolchain.copied(checkout, "generated/typescript", PROGRAM.as_posix()) / PROGRAM
    toolchain.build("npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", folder=folder)
    toolchain.build("npm", "run", "build", folder=folder)
    return folder


@pytest.fixture(scope="module")
def cloud(start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> Iterator[Cloud]:
    toolchain.need("node", "npm")
    with start_mock() as announcement:
        cloud = Cloud(announcement)
        yield cloud
        cloud.close()


@pytest.fixture(scope="module")
def strict(start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> Iterator[Cloud]:
    """Give a mock that refuses what no vendor says is refused: a request without a header that its guide demands."""
    toolchain.need("node", "npm")
    with start_mock(*STRICT) as announcement:
        cloud = Cloud(announcement)
        yield cloud
        cloud.close()


@pytest.mark.parametrize("check", ["lint", "format"])
def test_it_is_written_as_its_linter_and_formatter_want(built: Path, check: str) -> None:
    toolchain.build("npm", "run", check, folder=built)


def test_its_own_tests_pass_against_a_mock(built: Path, cloud: Cloud) -> None:
    given = {"CALLOFF_MOCK": json.dumps(cloud.announcement), "CALLOFF_VECTORS": VECTORS}

    ran = toolchain.call("npm", "test", folder=built, given=given)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    counts = dict(re.findall(r"^. (\w+) (\d+)$", ran.stdout, re.MULTILINE))
    assert counts["pass"] == counts["tests"]
    assert int(counts["tests"]) > len(vectors())


def vectors() -> list[Any]:
    return [
        case
        for path in Path(VECTORS).glob("*.json")
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
    status, _, told = started(built, cloud, case, cloud.job(case, case.ended))

    assert status == 1
    assert re.fullmatch(
        r"RefusedError: the service refused with 40[03] (AccessDenied|DLI\.0007), request \S+\n", told
    )


def test_the_program_sends_no_hostile_id(built: Path, cloud: Cloud) -> None:
    status, _, told = started(built, cloud, CASES[-1], "..")

    assert status == 2
    assert told.startswith("InvalidArgumentError: job id must match")


def started(built: Path, cloud: Cloud, case: Case, *jobs: str, call: str = "") -> tuple[int, str, str]:
    """Run the program, to cancel if no other call is named; give its status and what it wrote to its two streams."""
    keys, api = cloud.keys(case, "good"), cloud.announcement["apis"][case.operation.api]
    given = {"ENDPOINT": api["base_url"], "KEY_ID": keys.key_id, "SECRET_KEY": keys.secret_key}
    given |= {"PROJECT_ID": api.get("project_id", "")}
    command = ("node", "dist/src/main.js", call or case.operation.key, *jobs)
    ran = toolchain.call(*command, folder=built, given=given)
    assert keys.secret_key not in ran.stdout + ran.stderr
    return ran.returncode, ran.stdout, ran.stderr


def test_what_the_page_says_to_copy_is_a_package_of_its_own(built: Path, tmp_path: Path) -> None:
    page = (toolchain.ROOT / "docs" / "languages" / "typescript.md").read_text("utf-8")
    (commands,) = re.findall(r"^```console\n(\$ npm init .*?)^```$", page, re.DOTALL | re.MULTILINE)

    script = re.sub(r"^\$ ", "", commands, flags=re.MULTILINE)
    toolchain.build(
        *("env", f"CALLOFF={built.parents[2]}", "npm_config_prefer_offline=true", "npm_config_audit=false"),
        *("bash", "-ec", script),
        folder=tmp_path,
    )

    assert (tmp_path / "dist" / "src" / "main.js").is_file()


# --- What it is generated from -----------------------------------------------------------------------------------


def test_another_generation_gives_what_is_committed() -> None:
    toolchain.need("node", "npm")
    check = (sys.executable, SCRIPTS / "generate.py", "--check", "--language", "typescript")
    assert toolchain.build(*check, folder=toolchain.ROOT).endswith("nothing to do\n")


@pytest.mark.parametrize(
    ("document", "word", "other", "errors"),
    [
        ("otc-dli", "is_success:", "is_success:", False),
        ("otc-dli", "is_success:", "succeeded:", True),
        ("tencent-ci", "      name: cancel\n", "      name: delete\n", True),
        ("tencent-ci", "        Code:\n", "        Word:\n", True),
    ],
    ids=["unchanged", "is_success", "cancel", "Code"],
)
def test_a_changed_word_of_a_document_breaks_the_build(
    built: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    document: str,
    word: str,
    other: str,
    errors: bool,
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    generator = importlib.import_module("codegen.typescript")
    changed = toolchain.copied(tmp_path, "spec") / "spec" / f"{document}.openapi.yaml"
    text = changed.read_text("utf-8")
    assert word in text
    changed.write_text(text.replace(word, other), "utf-8")
    monkeypatch.setattr(generator, "SPEC", tmp_path / "spec")
    client = tmp_path / "client"
    client.mkdir()

    generator.generate(client)

    options = {"noEmit": True, "paths": {"calloff-clients/*": [f"{client}/*/index.d.ts"]}}
    configuration = built / "tsconfig.changed.json"
    configuration.write_text(json.dumps({"extends": "./tsconfig.json", "compilerOptions": options}), "utf-8")
    ran = toolchain.call("node_modules/.bin/tsc", "-p", configuration, folder=built)
    configuration.unlink()
    assert (ran.returncode != 0) == errors, ran.stdout
    assert bool(re.search(r"^(src|test)/.*: error TS", ran.stdout, re.MULTILINE)) == errors, ran.stdout
