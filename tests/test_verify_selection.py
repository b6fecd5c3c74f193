"""Choosing from the suite: what is run, what a wrong choice is answered with, and the list of what there is."""

from __future__ import annotations

import pytest
from fake_target import FakeTarget, Seen

from calloff.apis import OPERATIONS
from calloff.contract import load_catalogue
from calloff.errors import InvalidInputError
from calloff.verify import selection
from calloff.verify.checks import checks
from calloff.verify.engine import Run

CATALOGUE = load_catalogue()
SERVER = [r for r in CATALOGUE.requirements.values() if r.binds == "server"]
SQL, BATCH = "otc-dli/cancelSqlJob", "otc-dli/cancelBatchJob"
CELL = f"{SQL}/table/token/job-RUNNING/as-documented"


def run_of(**options: object) -> tuple[Run, list[Seen]]:
    """Run against a good server and return the run and what was sent after the examination."""
    with FakeTarget() as fake:
        run = Run(CATALOGUE, **options)  # type: ignore[arg-type]
        run.verify([fake.target()])
    return run, [seen for seen in fake.seen if "/preflight/" not in seen.header("User-Agent")]


def test_every_requirement_on_a_server_is_listed_with_what_proves_it() -> None:
    rows = {row.requirement: row for row in selection.listing(CATALOGUE)}

    assert list(rows) == [r.id for r in SERVER]
    assert all(row.checks and row.operations and row.statement for row in rows.values())
    assert rows["no-server-fault"].checks[0] == "every answer"
    assert "races/cancel-at-the-same-time" in rows["concurrent-cancels-agree"].checks
    assert rows["dli-auth-missing"].operations == (BATCH, SQL, "huaweicloud-dli/cancelSqlJob")


def test_only_concerns_what_is_named() -> None:
    run, seen = run_of(only=["dli-auth-missing"], layers=["table", "races"], operations=[SQL])
    outcome = run.outcomes["otc-dli"]

    assert set(outcome.exercised) == {("dli-auth-missing", SQL)}
    assert {skip.requirement for skip in outcome.skips} <= {"dli-auth-missing"}
    assert {s.header("User-Agent").partition("case/")[2].split("/")[3] for s in seen} == {"no-credential"}
    assert run.exit_status() == 0


def test_a_requirement_on_every_answer_is_held_by_every_check() -> None:
    run, seen = run_of(only=["no-server-fault"], layers=["races"], operations=[SQL])

    assert set(run.outcomes["otc-dli"].exercised) == {("no-server-fault", SQL)}
    # What asks for a job is no cancel, and not judged as one.
    cancels = [request for request in seen if request.method == "DELETE"]
    assert run.outcomes["otc-dli"].exercised["no-server-fault", SQL] == len(cancels) > 0


def test_the_level_must_leaves_what_should_be_out() -> None:
    should = {r.id for r in SERVER if r.level == "SHOULD"}
    run, _ = run_of(level="MUST", layers=["table"], operations=[SQL], budget="quick")
    both, _ = run_of(level="SHOULD", layers=["table"], operations=[SQL], budget="quick")

    assert not {requirement for requirement, _ in run.outcomes["otc-dli"].exercised} & should
    assert {requirement for requirement, _ in both.outcomes["otc-dli"].exercised} & should


def test_only_a_should_at_the_level_must_leaves_nothing_verified() -> None:
    should = next(r.id for r in SERVER if r.level == "SHOULD" and r.applies_to(SQL))
    run, seen = run_of(only=[should], level="MUST")

    assert seen == []
    assert run.exit_status() == 3


def test_a_case_sends_that_request_alone() -> None:
    run, seen = run_of(case=CELL)

    assert [s.header("User-Agent").partition("case/")[2] for s in seen] == [CELL]
    assert run.exit_status() == 0


def test_a_case_that_the_quick_budget_leaves_out_is_found_all_the_same() -> None:
    left_out = {c.id for c in checks(OPERATIONS[SQL], ["table"])} - {
        c.id for c in checks(OPERATIONS[SQL], ["table"], budget="quick")
    }
    case = min(left_out)
    _, seen = run_of(case=case, budget="quick")

    assert {s.header("User-Agent").partition("case/")[2] for s in seen} == {case}


def test_a_fuzz_case_is_written_again_as_it_was() -> None:
    case = f"{SQL}/fuzz/positive-6"
    _, all_of_them = run_of(layers=["fuzz"], operations=[SQL])
    _, alone = run_of(case=case)
    before = [s for s in all_of_them if s.header("User-Agent").endswith(case)]

    # The sixth meets no job, so its id is the one that was made up.
    assert [(s.method, s.target) for s in alone] == [(s.method, s.target) for s in before]
    assert len(alone) == 1


WRONG = [
    ({"only": ["dli-auth-mising"]}, "no requirement 'dli-auth-mising'; .*nearest first: dli-auth-missing"),
    ({"only": ["client-false-is-failure"]}, "no requirement 'client-false-is-failure'"),
    ({"level": "must"}, "no level 'must'.*MUST, SHOULD"),
    ({"operations": ["cancelSQLJob"]}, "no operation 'cancelSQLJob'; .*cancelSqlJob"),
    ({"operations": ["cancelAiJob"]}, "no operation 'cancelAiJob'"),
    ({"case": CELL.replace("RUNNING", "RUNING")}, f"no case .*nearest first: {CELL}"),
    ({"case": f"{SQL}/fuzz/positive-9999"}, "no case .*depend on --seed and --budget"),
    ({"case": f"{SQL}/fuzz/positive-0"}, "no case"),
    ({"case": "nonsense"}, "no case 'nonsense'"),
    ({"budget": "huge"}, "expected a budget of quick, standard, deep, got 'huge'"),
    ({"workers": 0}, "expected at least one worker, got 0"),
]


@pytest.mark.parametrize(("options", "told"), WRONG)
def test_what_does_not_exist_is_told_with_what_is_near(options: dict[str, object], told: str) -> None:
    with FakeTarget() as fake:
        target = fake.target()
        with pytest.raises(InvalidInputError, match=told):
            Run(CATALOGUE, **options).verify([target])  # type: ignore[arg-type]
        with pytest.raises(InvalidInputError, match=told):
            Run(CATALOGUE, **options).rehearse([target])  # type: ignore[arg-type]
        target.close()

    assert fake.seen == []
