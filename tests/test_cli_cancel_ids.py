"""The ids that calloff cancel is given, and what of its options goes together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import hostile_files as hostile
import pytest
from click.testing import CliRunner, Result

from calloff.apis import OPERATIONS
from calloff.cli import group
from calloff.cli.cancel.ids import Entry, JobIds, arguments, ids_file
from calloff.errors import CalloffError, InvalidInputError

SQL = OPERATIONS["otc-dli/cancelSqlJob"]
PLACE = ("--base-url", "http://127.0.0.1:1", "--project-id", "p1")
KEY = {"CALLOFF_ACCESS_KEY": "KEYID", "CALLOFF_SECRET_KEY": "SecretKey"}


def read(
    path: Path, form: str | None = None, column: str | None = None, field: str | None = None
) -> list[Entry]:
    return list(ids_file(str(path), form, column, field).entries())  # type: ignore[arg-type]


def texts(entries: list[Entry]) -> list[str]:
    assert [entry.problem for entry in entries] == [""] * len(entries)
    return [entry.text for entry in entries]


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [
        ("ids", "a\nb\n", ["a", "b"]),
        ("ids", "a\r\nb\rc", ["a", "b", "c"]),
        ("ids.txt", "\n# all of them\n  a  # the first\n\n\tb\n", ["a", "b"]),
        ("ids", "\ufeffa\n", ["a"]),
        ("ids.csv", "job_id,state\na,RUNNING\nb,RUNNING\n", ["a", "b"]),
        ("ids.CSV", 'state, job_id \n"x\ny"," a "\n\nz,b', ["a", "b"]),
        ("ids.csv", "\ufeffjob_id\na\n", ["a"]),
        ("ids.jsonl", '{"job_id": "a", "x": 1}\n\n{"job_id": "b"}\n', ["a", "b"]),
        ("ids.ndjson", '{"job_id": "a"}', ["a"]),
        ("ids.csv", "job_id\n", []),
        ("ids.csv", "", []),
        ("ids", "# none\n", []),
    ],
)
def test_ids_are_read_as_the_suffix_says(tmp_path: Path, name: str, content: str, ids: list[str]) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())

    assert texts(read(path)) == ids


def test_the_format_column_and_field_can_be_told(tmp_path: Path) -> None:
    table, lines = tmp_path / "table.txt", tmp_path / "lines.txt"
    table.write_text("id;x,batch\n1,a\n")
    lines.write_text('{"id": "a"}\n')

    assert texts(read(table, column="batch")) == ["a"]
    assert texts(read(lines, field="id")) == ["a"]
    assert texts(read(table, form="plain")) == ["id;x,batch", "1,a"]


def test_what_calloff_writes_can_be_given_to_it_again(tmp_path: Path) -> None:
    path = tmp_path / "outcomes.csv"
    path.write_text("job_id,operation,result\na,otc-dli/cancelSqlJob,unknown\n")

    assert texts(read(path)) == ["a"]


def test_each_id_knows_where_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "ids.csv"
    path.write_text('note,job_id\n"two\nlines",a\nx,b\n')

    assert [entry.place for entry in read(path)] == [f"{path} line 3", f"{path} line 4"]
    assert [entry.place for entry in arguments(["a", "b"])] == ["argument 1", "argument 2"]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("ids.csv", "job_id,x\na\n,b", ""),
        ("ids.csv", "x,job_id\na\n", "the line ends before the column 'job_id'"),
        ("ids.jsonl", "a\n", "it is no JSON"),
        ("ids.jsonl", "[" * 100_000, "cannot read"),
        ("ids.jsonl", '["a"]\n', "it is no object with a text 'job_id'; name the member with --field"),
        ("ids.jsonl", '{"job_id": 5}\n', "it is no object with a text 'job_id'"),
        ("ids.jsonl", '{"id": "a"}\n', "it is no object with a text 'job_id'"),
        ("ids.jsonl", '[{"job_id": "a"}]\n', "it is no object with a text 'job_id'"),
        ("ids.jsonl", '["job_id", "a"]\n', "it is no object with a text 'job_id'"),
        ("ids.jsonl", '{"x": {"job_id": "a"}}\n', "it is no object with a text 'job_id'"),
        ("ids.jsonl", '{"job_id": "a", "job_id": "b"}\n', "the member 'job_id' is there more than once"),
        ("ids", "job-1#2\n", "line 1: 'job-1#2'"),
    ],
)
def test_a_line_without_an_id_is_told_with_its_number(
    tmp_path: Path, name: str, content: str, problem: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InvalidInputError) as caught:
        list(JobIds(SQL, ids_file(str(path), None, None, None).entries(), skip_invalid=False))

    assert problem in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"job,state\na,b\n",
            "its first line names no column 'job_id', but 'job', 'state'; name one with",
        ),
        (b"job_id,job_id\na,b\n", "its first line names more than one column 'job_id'"),
        (b'job_id\n"a" b\n', "it is no CSV: "),
        (b"job_id\n\xff\n", "it is not UTF-8"),
        (b"job_id\n" + b"a" * 70_000, "it has a line of more than 65,536 characters"),
    ],
)
def test_a_file_that_is_none_of_ids_is_told(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "ids.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidInputError) as caught:
        read(path)

    assert str(caught.value).startswith(f"cannot read ids from {path}: {sentence}")


@pytest.mark.parametrize(
    ("words", "make"), [hostile.MISSING, hostile.DIRECTORY, hostile.BELOW_A_FILE, hostile.NUL_IN_NAME]
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, words: str, make: object) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    with pytest.raises(InvalidInputError, match=words):
        read(path)


def test_a_file_that_never_ends_a_line_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="it has a line of more than"):
        read(Path("/dev/zero"))


def test_invalid_ids_are_listed_where_they_stand_and_nothing_is_taken_of_what_follows() -> None:
    given = ["fine-1", "..", "a/b", "x\x1b[31m\n", "", "é" * 100, "fine-2"]
    ids = JobIds(SQL, arguments(given), skip_invalid=False)
    with pytest.raises(InvalidInputError) as caught:
        list(ids)

    lines = str(caught.value).splitlines()
    assert lines[0] == (
        "5 of the ids given cannot be a job of otc-dli/cancelSqlJob, whose ids match ^[0-9A-Za-z-]{1,64}$:"
    )
    assert lines[1:5] == [
        "    argument 2: '..'",
        "    argument 3: 'a/b'",
        r"    argument 4: 'x\x1b[31m\n'",
        "    argument 5: ''",
    ]
    assert lines[5].startswith(r"    argument 6: '\xe9\xe9")
    assert lines[6] == "Nothing was sent. Correct them, or leave them out with --skip-invalid."


def test_many_invalid_ids_are_counted() -> None:
    ids = JobIds(SQL, arguments(f"no id {n}" for n in range(1_500)), skip_invalid=True)

    assert list(ids) == []
    assert ids.problem().startswith("1500 of the ids given")
    assert ids.problem().endswith("    and 1,480 more")


def test_invalid_ids_are_left_out_where_that_is_asked_for() -> None:
    ids = JobIds(SQL, arguments(["a", "..", "b"]), skip_invalid=True)

    assert list(ids) == ["a", "b"]
    assert "argument 2: '..'" in ids.problem()


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def run(*words: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(group, ["cancel", *words], env=KEY, input=stdin)


def test_ids_come_from_the_standard_input_too() -> None:
    result = run("otc-dli", "cancelSqlJob", *PLACE, "--ids", "-", "--dry-run", stdin="\ufeffa\n# b\nc\n")

    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[:2] == ["DELETE /v1.0/p1/jobs/a", "DELETE /v1.0/p1/jobs/c"]
    assert result.stdout.splitlines()[2].startswith(
        "Nothing was sent. A run would cancel 2 jobs with otc-dli/"
    )


def test_a_closed_standard_input_is_told() -> None:
    program = "import sys; sys.argv[0] = 'calloff'; import calloff.cli; calloff.cli.main()"
    words = ["cancel", "otc-dli", "cancelSqlJob", *PLACE, "--ids", "-"]
    command = 'exec 0<&-; exec "$@"'
    done = subprocess.run(
        ["bash", "-c", command, "-", sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        check=False,
        env=KEY,
    )
    assert done.returncode == 2
    assert done.stderr == "calloff: cannot read ids from standard input: it is closed\n"


def test_invalid_ids_that_are_left_out_are_told() -> None:
    result = run("otc-dli", "cancelSqlJob", *PLACE, "a", "..", "--skip-invalid", "--dry-run")

    assert result.exit_code == 0, result.output
    assert "argument 2: '..'" in result.stderr
    assert "They are left out." in result.stderr
    assert "A run would cancel 1 job with" in result.stdout


BEGIN = ("otc-dli", "cancelSqlJob", *PLACE)
WRONG_USAGE = [
    (
        (),
        "give an API and an OPERATION: tencent-ci cancelInventoryTriggerJob, tencent-ci cancelAiJob, otc-dli ",
    ),
    (("otc-dli",), "give an OPERATION: otc-dli cancelBatchJob, otc-dli cancelSqlJob; or --resume"),
    (
        ("otc-dli", "cancelAiJob", "a"),
        "no operation 'cancelAiJob'; there are: otc-dli cancelBatchJob, otc-dli c",
    ),
    (BEGIN, "give ids as arguments or in a file with --ids, such as"),
    ((*BEGIN, "a", "--ids", "f"), "give ids as arguments or in a file with --ids, not both"),
    ((*BEGIN, "a", "--column", "x"), "tell how to read --ids; give that too"),
    (
        (*BEGIN, "--ids", "f", "--column", "x", "--field", "y"),
        "--column is for CSV and --field for JSON lines",
    ),
    ((*BEGIN, "--ids", "f", "--ids-format", "plain", "--column", "x"), "contradict each other"),
    ((*BEGIN, "a", "--dry-run", "--output", "csv"), "--dry-run has no outcomes to write"),
    ((*BEGIN, "a", "--rate", "inf"), "--rate must be a finite number; got inf"),
    (
        (*BEGIN, "--ids", __file__, "--skip-invalid", "--yes", "--rate", "nan"),
        "--rate must be a finite number",
    ),
    ((*BEGIN, "a", "--wait", "--wait-timeout", "nan"), "--wait-timeout must be a finite number; got nan"),
    ((*BEGIN, "a", "--force-resume"), "--force-resume goes with --resume"),
    (
        (*BEGIN, "a", "--resume", "f"),
        "--resume takes its ids from the journal and goes on in it; leave out ids",
    ),
    (("--resume", "f", "--ids", "g", "--journal", "h"), "leave out --ids and --journal"),
    (("--resume", "missing"), "there is no journal missing; give the file of an earlier run"),
    ((*BEGIN, "--ids", "-"), "there are no ids in the standard input"),
    ((*BEGIN, ".."), "1 of the ids given cannot be a job of otc-dli/cancelSqlJob"),
    ((*BEGIN, "--ids", "missing"), "cannot read ids from missing: No such file or directory"),
    (("otc-dli", "cancelSqlJob", "a", "--project-id", "p1"), "otc-dli needs a region"),
]


@pytest.mark.parametrize(("words", "sentence"), WRONG_USAGE)
def test_wrong_usage_is_told_and_leaves_nothing(words: tuple[str, ...], sentence: str, state: Path) -> None:
    result = run(*words)

    assert isinstance(result.exception, CalloffError), result.output
    assert sentence in str(result.exception)
    assert list(state.rglob("*.journal")) == []


@pytest.mark.parametrize(
    "words",
    [
        ("aws", "cancelSqlJob", "a"),
        (*BEGIN, "a", "--rate", "-1"),
        (*BEGIN, "a", "--output", "xml"),
        ("--nonsense",),
    ],
)
def test_what_the_parser_refuses_gives_2(words: tuple[str, ...]) -> None:
    result = run(*words)

    assert result.exit_code == 2
    assert "aws" not in words or "'tencent-ci', 'otc-dli', 'huaweicloud-dli'" in result.output


def test_a_list_with_one_invalid_id_begins_no_journal(tmp_path: Path, state: Path) -> None:
    path = tmp_path / "ids"
    path.write_text("".join(f"job-{n}\n" for n in range(20)) + "no id\n")
    result = run(*BEGIN, "--ids", str(path), "--yes", "--journal", str(tmp_path / "new.journal"))

    assert f"{path} line 21: 'no id'" in str(result.exception)
    assert [entry.name for entry in tmp_path.iterdir()] == ["ids"]
