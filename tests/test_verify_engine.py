"""The run: case ids, made-up ids, workers, budgets, the live profile, targets without a reading, exit statuses."""

from __future__ import annotations

import _thread
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from datetime import date

import pytest
from fake_target import KINDS, OTHER_PROJECT, PROJECT, FakeTarget, Reply, Script, Seen, refusal

from calloff.apis import APIS, OPERATIONS
from calloff.contract import load_catalogue
from calloff.mock.server import run_embedded
from calloff.verify.checks import BUDGETS, checks, run_check
from calloff.verify.engine import LAYERS, Layer, Run
from calloff.verify.expectations import Expectation
from calloff.verify.jobs_file import JobsFile
from calloff.verify.outcome import case_id
from calloff.verify.pace import Pace
from calloff.verify.provider_states import announced_targets
from calloff.verify.shapes import JOB_STATES
from calloff.verify.target import Job

CATALOGUE = load_catalogue()
SQL = "otc-dli/cancelSqlJob"
OPERATION = OPERATIONS[SQL]


def case_of(request: Seen) -> str:
    return request.header("User-Agent").partition("case/")[2]


def checked(fake: FakeTarget) -> list[Seen]:
    """Return what was sent after the examination."""
    return [seen for seen in fake.seen if "/preflight/" not in case_of(seen)]


# ------------------------------------------------------------------ ids


def test_an_id_is_visible_ascii() -> None:
    assert case_id(SQL, "table", "token/job RUNNING/as documented") == (
        f"{SQL}/table/token/job-RUNNING/as-documented"
    )
    assert case_id(SQL, "table", "\u00e9\n\0") == f"{SQL}/table/---"


@pytest.mark.parametrize("key", OPERATIONS)
@pytest.mark.parametrize("budget", BUDGETS)
def test_no_two_checks_have_one_id(key: str, budget: str) -> None:
    ids = [check.id for check in checks(OPERATIONS[key], budget=budget)]  # type: ignore[arg-type]

    assert len(ids) == len(set(ids))
    assert all(re.fullmatch("[!-~]+", each) for each in ids)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_request_carries_the_id_of_its_case(layer: Layer) -> None:
    with FakeTarget() as fake:
        run = Run(CATALOGUE, operations=[SQL], layers=[layer])
        run.verify([fake.target()])
        ids = {check.id for check in run.plan(fake.target())}
        agents = {seen.header("User-Agent") for seen in checked(fake)}

    for agent in agents:
        version, case = re.fullmatch(r"calloff-verify/(\S+) case/(\S+)", agent).groups()  # type: ignore[union-attr]
        assert version
        assert case in ids or (layer == "fuzz" and case.rpartition("-")[0] in ids)


def test_violations_skips_and_cells_name_their_cases() -> None:
    with FakeTarget(script=lambda *_: refusal(400, "DLI.0007")) as fake:
        run = Run(CATALOGUE, operations=[SQL], layers=["table"], budget="quick")
        run.verify([fake.target()])
        ids = {check.id for check in run.plan(fake.target())}
    outcome = run.outcomes["otc-dli"]

    assert outcome.violations
    assert outcome.skips
    assert {violation.case_id for violation in outcome.violations} <= ids
    assert {skip.case_id for skip in outcome.skips} <= ids
    assert [cell.case for cell in outcome.cells] == [
        c.id for c in checks(OPERATION, ["table"], budget="quick")
    ]


def test_a_cell_tells_what_came_of_it() -> None:
    with FakeTarget() as fake:
        session = fake.session()
        for check in checks(OPERATION, ["table"]):
            run_check(check, session)
        session.target.close()
    cells = {(cell.credential, cell.state, cell.shape): cell for cell in session.outcome.cells}

    right = cells["token", "job RUNNING", "as documented"]
    assert (right.verdict, right.status, right.operation) == ("held", 200, SQL)
    unchecked = cells["wrong secret", "job LAUNCHING", "as documented"]
    assert (unchecked.verdict, unchecked.status) == ("violated", 200)
    missing = cells["expired token", "job LAUNCHING", "as documented"]
    assert (missing.verdict, missing.status) == ("skipped", None)


# ------------------------------------------------------------------ made-up ids


def made_up(fake: FakeTarget) -> list[tuple[str, str]]:
    """Return the ids that the suite made up, with their cases; those of good requests in between left out."""
    return [
        (case_of(seen), seen.target)
        for seen in checked(fake)
        if not any(job_id in seen.target for job_id in fake.jobs) and "/unknown/" in case_of(seen)
    ]


def unknown_ids(seed: int, **options: object) -> list[tuple[str, str]]:
    with FakeTarget() as fake:
        Run(CATALOGUE, seed=seed, operations=[SQL], layers=["table"], **options).verify([fake.target()])  # type: ignore[arg-type]
        return made_up(fake)


def test_made_up_ids_follow_from_the_seed() -> None:
    first = unknown_ids(3)

    assert len({target for _, target in first}) > 10
    assert unknown_ids(3) == first
    assert {t for _, t in unknown_ids(4)}.isdisjoint(t for _, t in first)


def test_made_up_ids_do_not_depend_on_workers_or_on_what_else_runs() -> None:
    first = unknown_ids(3)
    case = f"{SQL}/table/default-credential/unknown/as-documented"

    # Which good request comes between two failures depends on the order.
    assert dict(reversed(unknown_ids(3, workers=4))).keys() == dict(first).keys()
    assert unknown_ids(3, case=case) == [(c, t) for c, t in first if c == case]


# ------------------------------------------------------------------ workers


def test_several_workers_find_what_one_finds_in_the_same_order() -> None:
    def outcome(workers: int) -> tuple[object, ...]:
        with FakeTarget() as fake:
            run = Run(CATALOGUE, layers=["table", "races"], workers=workers, budget="quick")
            run.verify([fake.target()])
        assert not run.stopped
        found = run.outcomes["otc-dli"]
        return (
            [(v.requirement, v.case_id, v.expected) for v in found.violations],
            [(s.requirement, s.case_id, s.reason) for s in found.skips],
            list(found.cells),
            sorted(found.exercised.items()),
            sorted(found.observed.items()),
            [found.checks_run],
        )

    assert outcome(5) == outcome(1)


@pytest.mark.parametrize("api", ["otc-dli", "tencent-ci"])
def test_several_workers_blame_no_right_server(api: str) -> None:
    with run_embedded([api]) as server:
        run = Run(CATALOGUE, workers=3, budget="quick")
        status = run.verify(announced_targets(server.announcement))

    assert [(v.case_id, v.received) for v in run.outcomes[api].violations] == []
    assert status == 0


def test_of_the_random_layers_one_check_runs_at_a_time() -> None:
    lock, under_way, most = threading.Lock(), Counter[str](), 0

    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        nonlocal most
        layer = case_of(request).split("/")[2]
        with lock:
            under_way[layer] += 1
            most = max(most, under_way["model"] + under_way["fuzz"])
        reply = fake.good(request)
        with lock:
            under_way[layer] -= 1
        return reply

    with FakeTarget(script=script) as fake:
        run = Run(CATALOGUE, workers=4, layers=["model", "fuzz"])
        run.verify([fake.target()])

    assert not run.stopped
    assert most == 1


ENDINGS: list[tuple[Callable[[], None], str]] = [
    (_thread.interrupt_main, "interrupted; "),
    (lambda: None, "the target was lost: "),
]


@pytest.mark.parametrize(("end", "told"), ENDINGS)
def test_several_workers_end_together_and_keep_what_they_found(end: Callable[[], None], told: str) -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        if len(fake.seen) == 60:
            end()
            if end is not _thread.interrupt_main:
                fake._server.socket.close()
        return Reply(0, raw=b"") if len(fake.seen) >= 60 and end is not _thread.interrupt_main else None

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with FakeTarget(script=script) as fake:
            run = Run(CATALOGUE, workers=4, layers=["table"])
            assert run.verify([fake.target(timeout=2.0)]) == 3
    finally:
        signal.signal(signal.SIGINT, handler)

    assert run.stopped.startswith(told)
    assert re.search(r"; \d+ of \d+ checks were run$", run.stopped)
    assert run.outcomes["otc-dli"].exercised
    assert [thread for thread in threading.enumerate() if thread.name.startswith("calloff-")] == []


def throttled_after(good_ones: int) -> tuple[FakeTarget, Run, int]:
    throttled = Reply(429, headers=(("Retry-After", "3600"),))

    def throttle(fake: FakeTarget, request: Seen) -> Reply | None:
        return throttled if len(fake.seen) > good_ones else None

    with FakeTarget(script=throttle) as fake:
        run = Run(CATALOGUE, operations=[SQL], layers=["table"])
        status = run.verify([fake.target()])
    return fake, run, status


def test_a_server_that_begins_to_throttle_for_good_is_soon_left_alone() -> None:
    fake, run, status = throttled_after(30)

    assert len(fake.seen) == 30 + 5
    assert run.stopped.startswith("the target was lost: 5 requests in a row were answered 429 to the end")
    assert status == 3


def test_a_server_that_throttles_from_the_start_is_told_as_such() -> None:
    fake, run, status = throttled_after(0)

    assert len(fake.seen) == 4  # of the examination
    assert run.stopped.startswith("the server throttles every request (429); try later")
    assert status == 3


# ------------------------------------------------------------------ budgets of the user


def test_a_spent_budget_verifies_nothing_to_the_end_and_says_so() -> None:
    with FakeTarget() as fake:
        run = Run(CATALOGUE, operations=[SQL], layers=["table", "model"])
        target = fake.target()
        target.pace = Pace(max_requests=40)
        status = run.verify([target])
    outcome = run.outcomes["otc-dli"]

    assert status == 3
    assert run.stopped == (
        "the budget of 40 requests is spent; --max-requests sets it; "
        f"{outcome.checks_run} of {len(run.plan(target))} checks were run"
    )
    assert len(fake.seen) == 40
    spent = [skip for skip in outcome.skips if "the budget of 40 requests is spent" in skip.reason]
    assert {skip.layer for skip in spent} == {"table", "model"}
    assert outcome.checks_run < len(run.plan(target))


def test_a_budget_spent_before_anything_was_accepted_verified_nothing() -> None:
    with FakeTarget() as fake:
        run = Run(CATALOGUE, operations=[SQL], live=True)
        target = fake.target()
        target.pace = Pace(max_requests=20)
        assert run.verify([target]) == 3

    assert run.stopped.startswith("the budget of 20 requests is spent")


def test_a_budget_that_is_just_enough_is_not_spent() -> None:
    with FakeTarget() as fake:
        Run(CATALOGUE, operations=[SQL], layers=["races"]).verify([fake.target()])
        enough = len(fake.seen)
        run = Run(CATALOGUE, operations=[SQL], layers=["races"])
        target = fake.target()
        target.pace = Pace(max_requests=enough)
        assert run.verify([target]) == 0

    assert run.stopped == ""


# ------------------------------------------------------------------ targets without a reading


def jobs_file(fake: FakeTarget, number: int) -> JobsFile:
    """Give *number* jobs in each state of both owners, as a jobs file does."""
    states = JOB_STATES[SQL]
    jobs = {}
    for owner, project in (("self", PROJECT), ("other", OTHER_PROJECT)):
        for state in (*states.cancellable, *states.final, *states.silent, states.cancelled):
            ids = [
                fake._new_job({"operation": OPERATION.name, "state": state, "owner": owner})["job_id"]
                for _ in range(number)
            ]
            jobs[SQL, owner, state] = tuple(Job(i, {"project_id": project, "job_id": i}) for i in ids)
    return JobsFile(jobs)


NEED_A_READING = {
    "cancel-takes-effect",
    "bystander-untouched",
    "refusal-changes-nothing",
    "other-method-cancels-nothing",
    "dli-second-cancel-refused",
    "concurrent-cancels-agree",
    "dli-sql-success-flag",
    "id-matched-whole",
    "cancelled-stays-cancelled",
}


def without_reading(script: Script | None = None, **options: object) -> tuple[FakeTarget, Run]:
    with FakeTarget(script=script) as fake:
        target = fake.target(states=False)
        target.states = jobs_file(fake, 30)
        target.kinds = dict.fromkeys(KINDS, target.keys)
        run = Run(CATALOGUE, operations=[SQL], **options)  # type: ignore[arg-type]
        run.verify([target])
    return fake, run


def test_what_needs_a_reading_is_skipped_and_never_held_without_one() -> None:
    _, run = without_reading()
    outcome = run.outcomes["otc-dli"]

    assert not run.stopped
    for requirement in NEED_A_READING - {"dli-second-cancel-refused"}:
        assert outcome.verdict(requirement, SQL) == "skipped", requirement
        reasons = {skip.reason for skip in outcome.skips if skip.requirement == requirement}
        why_not = "getSqlJobStatus was answered 404 APIGW.0101"
        assert f"the jobs come from a file and {why_not}, so no state can be read back" in reasons
    for requirement in ("cancel-accepted", "unknown-job-refused", "malformed-id-refused", "dli-auth-missing"):
        assert outcome.verdict(requirement, SQL) == "held", requirement


def test_of_ids_of_a_file_none_is_spent_on_finding_out_what_a_refusal_is_about() -> None:
    def no_signatures(fake: FakeTarget, request: Seen) -> Reply | None:
        return refusal(404, "DLI.0002") if request.header("Authorization") else None

    fake, run = without_reading(no_signatures, layers=["table"])
    named = {(request.header("User-Agent"), request.target) for request in fake.seen if fake.job_of(request)}

    assert run.outcomes["otc-dli"].violated("cancel-accepted", SQL)
    assert [agent for agent, number in Counter(agent for agent, _ in named).items() if number > 1] == []


def test_without_a_reading_no_job_is_spent_on_a_bystander() -> None:
    fake, run = without_reading(layers=["table"], budget="quick")
    expected = Counter(
        check.cell.subject.state
        for check in run.plan(fake.target())
        if check.cell is not None and check.cell.may_cancel and check.cell.subject.kind == "job"
    )
    cancelled = Counter(
        "cancelled" for job in fake.jobs.values() if job.owner == "self" and job.state == "CANCELLED"
    )

    # Thirty were in that state from the start; recipes that lack their credentials cancel nothing.
    assert cancelled["cancelled"] - 30 <= sum(expected.values()) + len(UNCHECKED_HERE)


# The scripted server checks no signature, so that each wrong one cancels the job that it names.
UNCHECKED_HERE = [
    check
    for check in checks(OPERATION, ["table"], budget="quick")
    if check.cell is not None and check.cell.recipe is not None and not check.cell.recipe.accepted
]


def test_a_job_cancelled_against_expectation_is_not_used_again() -> None:
    fake, run = without_reading(layers=["table"], budget="quick")
    named = Counter(
        seen.target.rpartition("/")[2]
        for seen in checked(fake)
        if "/wrong-secret/" in case_of(seen) or "/signed-for-GET/" in case_of(seen)
    )

    assert {v.case_id.split("/")[3] for v in run.outcomes["otc-dli"].violations} >= {"wrong-secret"}
    assert max(named[job_id] for job_id in fake.jobs) == 1


# ------------------------------------------------------------------ the live profile


def test_live_sends_only_cancels_of_given_and_made_up_jobs_and_what_is_refused_first() -> None:
    fake, run = without_reading(live=True, workers=4)
    outcome = run.outcomes["otc-dli"]
    given = {seen for seen in checked(fake) if fake.job_of(seen) is not None}

    assert {seen.method for seen in checked(fake)} == {"DELETE"}
    assert {case_of(seen).split("/")[2] for seen in checked(fake)} == {"table"}
    for seen in checked(fake):
        job_id = seen.path.rpartition("/")[2]
        altered = [
            known for known in fake.jobs if known != job_id and (known[:-1] in job_id or known[1:] in job_id)
        ]
        assert not altered
    assert {seen.path.split("/")[1] for seen in given} == {"v1.0"}

    plan = [check for check in run.plan(fake.target()) if not check.withheld]
    accepting = [check.cell.may_cancel for check in plan if check.cell is not None]
    assert accepting == sorted(accepting)
    order = [case_of(seen) for seen in checked(fake)]
    assert list(dict.fromkeys(order)) == [check.id for check in plan if check.id in order]

    withheld = {check.layer for check in run.plan(fake.target()) if check.withheld}
    assert withheld == set(LAYERS)
    assert outcome.verdict("other-method-cancels-nothing", SQL) == "skipped"
    assert outcome.verdict("concurrent-cancels-agree", SQL) == "skipped"


# ------------------------------------------------------------------ exit statuses


def test_a_problem_that_the_examination_shows_stops_the_run() -> None:
    with FakeTarget(script=lambda *_: refusal(401, "APIGW.0301")) as fake:
        run = Run(CATALOGUE, operations=[SQL])
        assert run.verify([fake.target()]) == 3

    assert run.stopped.startswith("the server refused the credentials in every way")
    assert "; 0 of " in run.stopped
    assert checked(fake) == []


def test_the_clock_of_the_server_is_noted() -> None:
    with run_embedded(["otc-dli"]) as server:
        run = Run(CATALOGUE, layers=["races"], operations=[SQL])
        run.verify(announced_targets(server.announcement))

    assert run.clock_skew == {"otc-dli": 0.0}


def test_a_known_failure_does_not_count_until_it_expires() -> None:
    def script(fake: FakeTarget, request: Seen) -> Reply | None:
        # Only the second cancel of a job is wrong.
        job = fake.job_of(request)
        return fake.accepted(job) if job and job.state == "CANCELLED" and job.owner == "self" else None

    with FakeTarget(script=script) as fake:
        run = Run(CATALOGUE, operations=[SQL], layers=["races"])
        run.verify([fake.target()])
    known = Expectation("dli-second-cancel-refused", "otc-dli/*", "ticket 1", date(9999, 1, 1))
    broken = {violation.requirement for violation in run.outcomes["otc-dli"].violations}

    assert broken == {"dli-second-cancel-refused"}
    assert run.exit_status(strict=True) == 1
    assert run.exit_status(strict=True, expectations=[known]) == 0
    expired = Expectation(known.requirement, known.operation, known.reason, date(2000, 1, 1))
    assert run.exit_status(strict=True, expectations=[expired]) == 1
    elsewhere = Expectation(known.requirement, "huaweicloud-dli/*", known.reason, known.expires)
    assert run.exit_status(strict=True, expectations=[elsewhere]) == 1


def test_a_bystander_that_cannot_be_had_costs_no_cell() -> None:
    class OneOperation(FakeTarget):
        def abilities(self) -> dict[str, object]:
            able = super().abilities()
            return {**able, "operations": {OPERATION.name: able["operations"][OPERATION.name]}}

    with OneOperation() as fake:
        run = Run(CATALOGUE, operations=[SQL], layers=["table"], budget="quick")
        run.verify([fake.target()])
    outcome = run.outcomes["otc-dli"]

    assert outcome.accepted > 0
    assert outcome.verdict("bystander-untouched", SQL) == "held"
    assert any(
        "do not list state" in s.reason for s in outcome.skips if s.requirement == "bystander-untouched"
    )


def test_the_quick_budget_is_part_of_the_standard_one_and_names_every_way_to_authenticate() -> None:
    for api in APIS.values():
        for operation in api.operations.values():
            quick = {check.id for check in checks(operation, budget="quick")}
            standard = {check.id for check in checks(operation)}
            ways = {check.cell.credential for check in checks(operation, ["table"]) if check.cell}
            met = {c.cell.credential for c in checks(operation, ["table"], budget="quick") if c.cell}

            assert quick < standard
            assert met == ways


def test_the_quick_budget_loads_neither_hypothesis_nor_schemathesis() -> None:
    code = (
        "import sys; from calloff.apis import OPERATIONS; from calloff.verify.engine import checks;"
        "[checks(operation, budget='quick') for operation in OPERATIONS.values()];"
        "print(sorted({'hypothesis', 'schemathesis'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert found.stdout.strip() == "[]"
