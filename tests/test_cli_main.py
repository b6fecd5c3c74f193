"""The commands around verify: help, version, spec, mock, extras."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from calloff.cli import group, main
from calloff.cli.extras import require_extra
from calloff.errors import InvalidInputError, MissingDocumentError, MissingExtraError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(group, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_help_lists_every_command_without_loading_it() -> None:
    program = (
        "import sys; sys.argv = ['calloff', '--help']\n"
        "from calloff.cli import main\n"
        "try: main()\n"
        "finally: print(sorted(m for m in sys.modules if m.startswith('calloff.cli')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert all(f"\n  {name}" in done.stdout for name in ("mock", "spec", "verify"))
    assert "['calloff.cli']" in done.stdout


def test_an_unknown_command_is_wrong_usage() -> None:
    result = CliRunner().invoke(group, ["conquer"])

    assert result.exit_code == 2
    assert "No such command 'conquer'" in result.output


def test_spec_shows_where_a_document_is() -> None:
    folder = Path(run("spec").strip())

    assert Path(run("spec", "otc-dli.openapi.yaml").strip()) == folder / "otc-dli.openapi.yaml"
    assert (folder / "requirements.yaml").is_file()


@pytest.mark.parametrize("name", ["no-such-document.yaml", "../pyproject.toml", "/etc/passwd"])
def test_spec_refuses_what_is_no_document(name: str) -> None:
    with pytest.raises((InvalidInputError, MissingDocumentError)):
        CliRunner().invoke(group, ["spec", name], catch_exceptions=False)


def test_the_mutants_are_listed_as_text_and_as_data() -> None:
    rows = json.loads(run("mock", "--list-mutants", "--json"))
    lines = run("mock", "--list-mutants").splitlines()

    assert len(rows) == len(lines) >= 40
    assert set(rows[0]) == {"name", "requirement", "level", "operations", "description", "prototype"}
    assert [line.split()[:2] for line in lines] == [[row["name"], row["requirement"]] for row in rows]


def test_the_dialects_are_listed_as_text_and_as_data() -> None:
    rows = json.loads(run("mock", "--list-dialects", "--json"))
    text = run("mock", "--list-dialects")

    assert all(row["default"] in row["choices"] for row in rows)
    assert all(f"{row['id']}: " in text and f"    {row['default']} (default): " in text for row in rows)


def test_a_seed_out_of_range_is_wrong_usage() -> None:
    result = CliRunner().invoke(group, ["mock", "--port", "0", "--seed", str(2**63)])

    assert result.exit_code == 2
    assert "not in the range" in result.output


def test_the_mock_announces_itself_in_words() -> None:
    command = [sys.executable, "-m", "calloff", "mock", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or "Stop with" not in lines[-1]:
            lines.append(process.stdout.readline())
        process.terminate()
    text = "".join(lines)

    for word in (
        "tencent-ci ",
        "otc-dli ",
        "huaweicloud-dli ",
        "IAM ",
        "provider states ",
        "host ",
        "project_id ",
    ):
        assert word in text
    assert process.returncode == 0


def test_an_extra_that_is_installed_is_no_problem() -> None:
    require_extra("mock")
    require_extra("verify")


def test_everything_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "calloff.cli.extras.find_spec", lambda name: None if name in {"h11", "rich"} else object()
    )
    with pytest.raises(MissingExtraError, match=r"this needs h11, rich; .* 'calloff\[verify\]'"):
        require_extra("verify")


def test_a_reader_that_goes_away_ends_the_program_quietly() -> None:
    command = f"{sys.executable} -m calloff mock --list-mutants | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert done.stderr == ""


def test_a_broken_pipe_is_status_1(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reader:
        def close(self) -> None:
            pass

    def broken(**_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("calloff.cli.group", broken)
    monkeypatch.setattr(sys, "stderr", Reader())
    with pytest.raises(SystemExit) as caught:
        main()

    assert caught.value.code == 1


def test_ctrl_c_is_a_word_and_the_status_that_shells_know(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("calloff.cli.group.invoke", interrupted)
    monkeypatch.setattr(sys, "argv", ["calloff", "spec"])
    with pytest.raises(SystemExit) as caught:
        main()

    assert (caught.value.code, capsys.readouterr().err.strip()) == (130, "calloff: interrupted")
