"""Where the fuzz layer has its requests from: another process gives what this one would, and its failures are told."""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from typing import Any

import pytest
from fake_target import FakeTarget

from calloff.contract import load_catalogue
from calloff.verify import fuzz_source
from calloff.verify.engine import Run
from calloff.verify.fuzz_source import Batch, Flaw, FuzzCase, Here, beside
from calloff.verify.wire import Response

SQL = "otc-dli/cancelSqlJob"
DOCUMENTED = Batch(SQL, "documented")
FAULT = Response(503, (("content-type", "text/html"),), b"<html>")


def without_its_own_id(case: FuzzCase) -> tuple[object, ...]:
    headers = [(name, value) for name, value in case.headers if name != "X-Schemathesis-TestCaseId"]
    return case.batch, case.number, case.path_parameters, case.query, headers, case.body


def names(flaws: list[Flaw]) -> list[str]:
    return [flaw.check for flaw in flaws]


def test_another_process_writes_and_judges_as_this_one_does() -> None:
    invalid = Batch(SQL, "invalid", 7, 5)
    with beside([invalid]) as source:
        (documented,) = source.written(DOCUMENTED)
        written = source.written(invalid)
        flaws = source.flaws(documented, FAULT, body_may_be_absent=True)

    assert without_its_own_id(documented) == without_its_own_id(Here().written(DOCUMENTED)[0])
    assert [case.number for case in written] == list(range(len(written)))
    assert len(written) > 0
    assert names(flaws) == ["not_a_server_error", "content_type_conformance"]
    assert names(Here().flaws(documented, FAULT, body_may_be_absent=True)) == names(flaws)


def test_one_seed_gives_the_same_requests_whatever_was_written_before() -> None:
    batch = Batch(SQL, "invalid", 7, 5)
    with beside([]) as alone, beside([Batch("otc-dli/cancelBatchJob", "valid", 3, 2), batch]) as ahead:
        first, second = alone.written(batch), ahead.written(batch)

    assert [without_its_own_id(case) for case in first] == [without_its_own_id(case) for case in second]


def test_a_failure_there_is_told_here_and_the_next_call_is_answered() -> None:
    with beside([Batch("otc-dli/nothing", "valid")]) as source:
        with pytest.raises(
            RuntimeError, match="schemathesis failed in its process: KeyError: 'otc-dli/nothing'"
        ):
            source.written(Batch("otc-dli/nothing", "valid"))

        assert len(source.written(DOCUMENTED)) == 1


def test_a_process_that_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_source, "_COMMAND", (sys.executable, "-c", ""))

    with beside([DOCUMENTED] * 3) as source, pytest.raises(RuntimeError, match="has ended"):
        source.written(DOCUMENTED)


def test_without_another_process_this_one_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_source, "_COMMAND", ("/nowhere/python",))

    with beside([DOCUMENTED]) as source:
        assert source.written(DOCUMENTED) == Here().written(DOCUMENTED)


def test_the_process_ends_with_its_input_and_writes_nothing_but_answers() -> None:
    asked: list[tuple[str, Any]] = [("prepare", DOCUMENTED), ("written", DOCUMENTED), ("written", None)]
    done = subprocess.run(
        fuzz_source._COMMAND,
        input=b"".join(pickle.dumps(each) for each in asked),
        capture_output=True,
        check=True,
        timeout=60,
    )
    answers = io.BytesIO(done.stdout)

    failure, cases = pickle.load(answers)  # noqa: S301 - written by the program under test
    assert (failure, len(cases)) == ("", 1)
    told = pickle.load(answers)  # noqa: S301
    assert told == ("AttributeError: 'NoneType' object has no attribute 'kind'", None)
    assert answers.read() == b""


@pytest.mark.parametrize("beside_it", [True, False])
def test_a_run_finds_the_same_either_way(beside_it: bool) -> None:
    with FakeTarget(script=lambda fake, request: None) as fake:
        run = Run(load_catalogue(), operations=[SQL], layers=["fuzz"], beside=beside_it)
        status = run.verify([fake.target()])
        paths = {request.path for request in fake.seen}

    assert (status, run.stopped) == (0, "")
    assert run.outcomes["otc-dli"].exercised["malformed-id-refused", SQL] > 0
    assert len(paths) > 10


def test_a_failure_of_schemathesis_ends_the_run_as_one_of_the_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_source, "_COMMAND", (sys.executable, "-c", ""))
    with FakeTarget() as fake:
        run = Run(load_catalogue(), operations=[SQL], layers=["fuzz"], beside=True)
        status = run.verify([fake.target()])

    assert status == 3
    assert run.stopped.startswith("the suite itself failed: RuntimeError: the process in which schemathesis")
