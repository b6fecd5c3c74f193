"""Known failures: which violations they excuse, until when, and what the file may say."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from calloff.errors import InvalidInputError
from calloff.verify.expectations import Expectation, covering, excused, load

SQL, HUAWEI, BATCH = "otc-dli/cancelSqlJob", "huaweicloud-dli/cancelSqlJob", "otc-dli/cancelBatchJob"
LAST = date(2030, 1, 31)
KNOWN = Expectation("dli-auth-missing", "*/cancelSqlJob", "gateway upgrade pending", LAST)


def written(folder: Path, text: str) -> Path:
    path = folder / "known.toml"
    path.write_text(text, "utf-8")
    return path


ROW = '[[known-failure]]\nrequirement = "dli-auth-missing"\nreason = "pending"\nexpires = 2030-01-31\n'


@pytest.mark.parametrize(
    ("requirement", "operation", "today", "expected"),
    [
        ("dli-auth-missing", SQL, LAST, True),
        ("dli-auth-missing", HUAWEI, date(2029, 1, 1), True),
        ("dli-auth-missing", SQL, date(2030, 2, 1), False),
        ("dli-auth-missing", BATCH, LAST, False),
        ("dli-auth-token", SQL, LAST, False),
    ],
)
def test_a_violation_is_excused_by_name_and_until_the_last_day(
    requirement: str, operation: str, today: date, expected: bool
) -> None:
    assert excused([KNOWN], requirement, operation, today) is expected


def test_of_two_that_cover_the_one_that_still_counts_is_taken() -> None:
    old = Expectation("dli-auth-missing", "*", "last year", date(2020, 1, 1))

    assert covering([old, KNOWN], "dli-auth-missing", SQL, LAST) is KNOWN
    assert covering([old], "dli-auth-missing", SQL, LAST) is old
    assert excused([old, KNOWN], "dli-auth-missing", SQL, LAST)
    assert not excused([], "dli-auth-missing", SQL, LAST)


def test_without_a_day_today_counts() -> None:
    assert excused([Expectation("dli-auth-missing", "*", "r", date.max)], "dli-auth-missing", SQL)
    assert not excused([Expectation("dli-auth-missing", "*", "r", date(2020, 1, 1))], "dli-auth-missing", SQL)


def test_the_file_is_read(tmp_path: Path) -> None:
    second = ROW.replace("dli-auth-missing", "cancel-accepted") + 'operation = "otc-dli/*"\n'

    assert load(written(tmp_path, ROW + second)) == (
        Expectation("dli-auth-missing", "*/*", "pending", LAST),
        Expectation("cancel-accepted", "otc-dli/*", "pending", LAST),
    )
    assert load(written(tmp_path, "")) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("known-failure = [", "--expectations: "),
        ("known-failure = [", "known.toml': not TOML (at end of document)"),
        ("known-failure = 1", "expected only tables"),
        ('[[known-failures]]\nrequirement = "x"', "expected only tables"),
        (ROW + "level = 1", "no member 'level'; there are: requirement, operation, reason, expires"),
        (ROW.replace("dli-auth-missing", "dli-auth-mising"), "no requirement 'dli-auth-mising'"),
        (ROW.replace("dli-auth-missing", "client-no-redirect"), "no requirement 'client-no-redirect'"),
        (ROW.replace('reason = "pending"\n', ""), "expected reason to be a text, got None"),
        (ROW.replace('"pending"', '" "'), "expected reason to be a text"),
        (ROW.replace("expires = 2030-01-31\n", ""), "expected expires to be a day"),
        (ROW.replace("2030-01-31", '"2030-01-31"'), "without quotes, got '2030-01-31'"),
        (ROW.replace("2030-01-31", "2030-01-31T00:00:00"), "expected expires to be a day"),
        (ROW + 'operation = "tencent-ci/*"\n', "matches no operation that dli-auth-missing binds"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        load(written(tmp_path, text))
    assert words in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInputError, match=r"--expectations: cannot read .*missing\.toml': No such file"
    ):
        load(tmp_path / "missing.toml")
    (tmp_path / "known.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidInputError, match="byte 0 is not UTF-8"):
        load(tmp_path / "known.toml")
