"""The consumer in Java: compiled strictly, linted, and run against a mock; and what it is generated from."""

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

PROGRAM = Path("contract_tests") / "consumers" / "java"
VECTORS = toolchain.ROOT / "spec" / "signing"
SCRIPTS = toolchain.ROOT / "scripts"
STRICT = ("--dialect", "dli-content-type-absent=400-dli-0001", "--dialect", "ci-content-length=411")
# For processes that live for a second.
SHORT = "-XX:TieredStopAtLevel=1"
MAVEN = ("mvn", "-B", "-f", "with-clients.xml")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the program, compiled by way of Error Prone without a warning, beside what it depends on."""
    toolchain.need("javac", "mvn")
    checkout = tmp_path_factory.mktemp("java")
    folder = toolchain.copied(checkout, "generated/java", PROGRAM.as_posix()) / PROGRAM
    toolchain.build(*MAVEN, "-q", "package", "-DskipTests", folder=folder)
    return folder


@pytest.fixture(scope="module")
def cloud(start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> Iterator[Cloud]:
    toolchain.need("javac", "mvn")
    with start_mock() as announcement:
        cloud = Cloud(announcement)
        yield cloud
        cloud.close()


@pytest.fixture(scope="module")
def strict(start_mock: Callable[..., AbstractContextManager[dict[str, Any]]]) -> Iterator[Cloud]:
    """Give a mock that refuses what no vendor says is refused: a request without a header that its guide demands."""
    toolchain.need("javac", "mvn")
    with start_mock(*STRICT) as announcement:
        cloud = Cloud(announcement)
        yield cloud
        cloud.close()


def test_its_own_tests_pass_against_a_mock_and_it_is_written_as_its_formatter_wants(
    built: Path, cloud: Cloud
) -> None:
    given = (f"CALLOFF_MOCK={json.dumps(cloud.announcement)}", f"CALLOFF_VECTORS={VECTORS}")

    told = toolchain.build("env", *given, *MAVEN, "verify", folder=built)

    run = re.findall(r"^\[INFO\] Tests run: (\d+), Failures: 0, Errors: 0, Skipped: 0$", told, re.MULTILINE)
    assert len(run) == 1
    assert int(run[0]) > len(vectors())
    assert re.search(r"Processed \d\d+ files \(0 non-complying\)", told)


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

    lines = [f"{job} {state} final={str(states[state]).lower()}\n" for job, state in jobs.items()]
    assert told == (0, "".join(lines), "")


@pytest.mark.parametrize("case", [CASES[0], CASES[-1]], ids=str)
def test_the_program_tells_a_refusal(built: Path, cloud: Cloud, case: Case) -> None:
    status, _, told = started(built, cloud, case, cloud.job(case, case.ended))

    assert status == 1
    refusal = r"RefusedException: the service refused with 40[03] (AccessDenied|DLI\.0007), request \S+\n"
    assert re.fullmatch(refusal, told)


def test_the_program_sends_no_hostile_id(built: Path, cloud: Cloud) -> None:
    status, _, told = started(built, cloud, CASES[-1], "..")

    assert status == 2
    assert told.startswith("IllegalArgumentException: job id must match")


def started(built: Path, cloud: Cloud, case: Case, *jobs: str, call: str = "") -> tuple[int, str, str]:
    """Run the program, to cancel if no other call is named; give its status and what it wrote to its two streams."""
    keys, api = cloud.keys(case, "good"), cloud.announcement["apis"][case.operation.api]
    given = {"ENDPOINT": api["base_url"], "KEY_ID": keys.key_id, "SECRET_KEY": keys.secret_key}
    given |= {"PROJECT_ID": api.get("project_id", "")}
    name = call or case.operation.key
    command = ("java", SHORT, "-jar", "target/calloff-consumer-java.jar", name, *jobs)
    ran = toolchain.call(*command, folder=built, given=given)
    assert keys.secret_key not in ran.stdout + ran.stderr
    return ran.returncode, ran.stdout, ran.stderr


def test_what_the_page_says_to_copy_is_compiled_in_a_package_of_another_name(
    built: Path, tmp_path: Path
) -> None:
    page = (toolchain.ROOT / "docs" / "languages" / "java.md").read_text("utf-8")
    (commands,) = re.findall(r"^```console\n(\$ cp -r .*?)^```$", page, re.DOTALL | re.MULTILINE)
    # What it installs is in the folder of libraries already.
    script = re.sub(r"^\$ ", "", commands, flags=re.MULTILINE).replace(
        " && mvn -q -B -f clients install\n", "\n"
    )
    assert "mvn" not in script

    toolchain.build("env", f"CALLOFF={built.parents[2]}", "bash", "-ec", script, folder=tmp_path)

    sources = sorted(tmp_path.glob("src/main/java/com/example/cancel/*.java"))
    paths = ("-proc:none", "-cp", f"{built}/target/lib/*", "-d", tmp_path / "classes")
    toolchain.build("javac", f"-J{SHORT}", *paths, *sources, folder=tmp_path)
    assert (tmp_path / "classes" / "com" / "example" / "cancel" / "RefusedException.class").is_file()


# --- What it is generated from -----------------------------------------------------------------------------------


def test_another_generation_gives_what_is_committed() -> None:
    toolchain.need("javac", "mvn")
    check = (sys.executable, SCRIPTS / "generate.py", "--check", "--language", "java")
    assert toolchain.build(*check, folder=toolchain.ROOT).endswith("nothing to do\n")


def test_the_tool_is_checked_against_its_digest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    generator = imported(monkeypatch)
    jar = tmp_path / "tool.jar"
    jar.write_bytes(b"another release")
    monkeypatch.setattr(generator, "JAR", jar)
    monkeypatch.setattr(generator, "run", lambda *_, **__: None)

    with pytest.raises(generator.GenerationError, match=r"tool\.jar has the digest [0-9a-f]{64}, but"):
        generator.install()


@pytest.mark.parametrize(
    ("document", "word", "other", "missing"),
    [
        ("otc-dli", "is_success:", "succeeded:", "getIsSuccess"),
        ("tencent-ci", "      name: cancel\n", "      name: delete\n", "cancel"),
        ("tencent-ci", "        Code:\n", "        Word:\n", "getCode"),
    ],
    ids=["is_success", "cancel", "Code"],
)
def test_a_changed_word_of_a_document_breaks_the_build(
    built: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    document: str,
    word: str,
    other: str,
    missing: str,
) -> None:
    text = (toolchain.ROOT / "spec" / f"{document}.openapi.yaml").read_text("utf-8")
    assert word in text
    changed = tmp_path / "changed.yaml"
    changed.write_text(text.replace(word, other), "utf-8")
    generator = imported(monkeypatch)
    generator.install()

    generator.generate_sources({document: changed}, tmp_path / "client")

    told = compiled(built, tmp_path / "client", tmp_path)
    assert re.search(r"^src/main/java/.*: error: ", told, re.MULTILINE), told
    assert re.search(rf"symbol: +method {missing}\b", told), told


def test_what_is_generated_from_the_documents_is_compiled(built: Path, tmp_path: Path) -> None:
    told = compiled(built, toolchain.ROOT / "generated" / "java" / "src" / "main" / "java", tmp_path)

    assert " error: " not in told
    assert (tmp_path / "classes" / "calloff" / "consumer" / "Main.class").is_file()


def imported(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module("codegen.java")


def compiled(built: Path, client: Path, target: Path) -> str:
    """Compile the program with the source of a client; give what the compiler told."""
    sources = sorted(path.relative_to(built) for path in built.glob("src/main/java/**/*.java"))
    options = ("-proc:none", "-implicit:none", "-Xprefer:source", "-Xdiags:verbose")
    paths = ("-sourcepath", client, "-cp", "target/lib/*", "-d", target / "classes")
    return toolchain.call("javac", f"-J{SHORT}", *options, *paths, *sources, folder=built).stderr
