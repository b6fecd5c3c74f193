"""What a server chose where the vendors are silent: written by the suite, followed by the mock."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mock_support import NOW, Bench

from calloff.apis import APIS
from calloff.contract import load_catalogue
from calloff.errors import InvalidInputError
from calloff.mock.app import create_app
from calloff.mock.dialects import Dialect, read_profile
from calloff.mock.state import ServerState
from calloff.resources import spec_path
from calloff.verify import profile
from calloff.verify.engine import Run
from calloff.verify.outcome import Outcome
from calloff.verify.target import Keys, Target

SQL, BATCH, HUAWEI = "otc-dli/cancelSqlJob", "otc-dli/cancelBatchJob", "huaweicloud-dli/cancelSqlJob"
AI, CI_BATCH = "tencent-ci/cancelAiJob", "tencent-ci/cancelInventoryTriggerJob"
TOKEN = "planted-token/with+slash=="
SEEN = {
    "otc-dli": {
        "dli-unknown-job": {SQL: "404-dli-0023", BATCH: "400-dli-0002"},
        "dli-malformed-id": {SQL: "418-dli-9999"},
    },
    "huaweicloud-dli": {"dli-unknown-job": {HUAWEI: f"400-{TOKEN}"}},
}


def written(**seen: dict[str, dict[str, str]]) -> str:
    run = Run(load_catalogue())
    run.targets = [
        Target(APIS[name], "http://127.0.0.1:1", Keys(token=TOKEN)) for name in ("otc-dli", "huaweicloud-dli")
    ]
    run.outcomes = {name: Outcome(observed=observed) for name, observed in seen.items()}
    return profile.write(run)


def file_of(folder: Path, content: Any) -> Path:
    path = folder / "profile.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path


def bench_of(dialect: Dialect) -> Bench:
    bench = Bench()
    bench.state = ServerState(tuple(APIS), clock=lambda: NOW, dialect=dialect)
    bench.apps = {name: create_app(name, bench.state) for name in APIS}
    return bench


def test_the_profile_holds_what_was_seen_and_no_secret() -> None:
    text = written(**SEEN)
    content = json.loads(text)

    schema = json.loads(spec_path("verify/profile.schema.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(content)
    assert content["observed"] == {
        "dli-malformed-id": {SQL: "418-dli-9999"},
        "dli-unknown-job": {BATCH: "400-dli-0002", SQL: "404-dli-0023", HUAWEI: "400-***"},
    }
    assert content["suite"]["contract"] == {"otc-dli": "1.0.0", "huaweicloud-dli": "1.0.0"}
    assert "planted" not in text


def test_the_mock_chooses_by_operation_as_the_profile_says(tmp_path: Path) -> None:
    notes: list[str] = []
    dialect = read_profile(file_of(tmp_path, written(**SEEN)), note=notes.append)

    assert dialect["dli-unknown-job"] == "400-dli-0002"
    assert dialect.of(SQL)["dli-unknown-job"] == "404-dli-0023"
    assert dialect.of(BATCH)["dli-unknown-job"] == "400-dli-0002"
    assert dialect.of(HUAWEI) is dialect
    assert dialect == Dialect(
        by_operation={SQL: {"dli-unknown-job": "404-dli-0023"}, BATCH: {"dli-unknown-job": "400-dli-0002"}}
    )
    assert dialect != Dialect()
    assert hash(dialect) == hash(Dialect())
    assert repr(Dialect({"ci-settle": "later"}, {SQL: {"dli-settle": "later"}})) == (
        "Dialect({'ci-settle': 'later'}, {'otc-dli/cancelSqlJob': {'dli-settle': 'later'}})"
    )
    assert [note.partition(": ")[2] for note in notes] == [
        "skipped dli-malformed-id of 'otc-dli/cancelSqlJob': the mock cannot do '418-dli-9999'; "
        "it stays with 400-dli-0001",
        "skipped dli-unknown-job of 'huaweicloud-dli/cancelSqlJob': the mock cannot do '400-***'; "
        "it stays with 400-dli-0002",
    ]


def test_a_choice_of_one_operation_leaves_the_other_alone() -> None:
    bench = bench_of(
        Dialect(
            by_operation={
                SQL: {"dli-not-cancellable": "400-dli-0999", "dli-success-body": "empty"},
                BATCH: {"dli-settle": "later"},
                AI: {"ci-not-cancellable": "400-invalid-argument", "ci-second-cancel": "accepted"},
            }
        )
    )

    assert bench.cancel(bench.job(SQL, "FINISHED")).code == "DLI.0999"
    assert bench.cancel(bench.job(BATCH, "success")).code == "DLI.0007"
    assert bench.cancel(bench.job(HUAWEI, "FINISHED")).code == "DLI.0007"
    assert bench.cancel(bench.job(SQL, "RUNNING")).body == b""
    assert bench.cancel(bench.job(HUAWEI, "RUNNING")).body != b""
    assert bench.cancel(bench.job(AI, "Success")).code == "InvalidArgument"
    assert bench.cancel(bench.job(CI_BATCH, "Success")).code == "AccessDenied"
    assert bench.cancel(bench.job(AI, "Cancel")).status == 200
    assert bench.cancel(bench.job(CI_BATCH, "Cancel")).status == 403
    batch, sql = bench.job(BATCH, "running"), bench.job(SQL, "RUNNING")
    bench.cancel(batch)
    bench.cancel(sql)
    assert (bench.state_of(batch), bench.state_of(sql)) == ("running", "CANCELLED")


def test_a_choice_of_one_operation_must_be_in_the_table() -> None:
    with pytest.raises(InvalidInputError, match="'dli-settle' has no choice 'never'"):
        Dialect(by_operation={SQL: {"dli-settle": "never"}})


def test_what_is_skipped_is_logged_where_nobody_listens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = {"format": 1, "observed": {"no-such-point": {SQL: "x"}}}
    with caplog.at_level(logging.WARNING, "calloff.mock"):
        assert read_profile(file_of(tmp_path, content)) == Dialect()
    assert "skipped 'no-such-point', which is no silent point" in caplog.text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is no profile: expected JSON"),
        ("[" * 100_000, "is no profile: expected JSON"),
        ([], "got list"),
        ({"format": 2, "observed": {}}, "got format 2"),
        ({"observed": {}}, "got format None"),
        ({"format": 1}, "a choice by point and operation"),
        ({"format": 1, "observed": {"dli-settle": "later"}}, "a choice by point and operation"),
        ({"format": 1, "observed": {"dli-settle": {SQL: 1}}}, "a choice by point and operation"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_profile(file_of(tmp_path, content))
    assert words in str(caught.value)


def test_a_profile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot read the profile"):
        read_profile(tmp_path / "missing.json")
