"""The one structure that every report is a view of: verdicts, groups, totals, and its published form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from report_support import (
    BATCH,
    SQL,
    known,
    report_of,
    request,
    row_of,
    violation,
)

from calloff.apis import APIS
from calloff.resources import spec_path
from calloff.verify.checks import BUDGETS, LAYERS
from calloff.verify.outcome import CellResult, Exchange, Outcome, Skip, Violation
from calloff.verify.reports import data, words
from calloff.verify.wire import Response


def test_a_requirement_is_violated_held_skipped_or_not_run() -> None:
    outcome = Outcome(violations=[violation()], skips=[Skip("cancel-accepted", SQL, "table", "c", "no job")])
    outcome.exercised["dli-auth-missing", SQL] = outcome.exercised["dli-auth-token", SQL] = 2
    verdicts = {row["requirement"]: row["verdict"] for row in report_of(outcome)["results"]}

    assert verdicts["dli-auth-missing"] == "violated"
    assert verdicts["dli-auth-token"] == "held"
    assert verdicts["cancel-accepted"] == "skipped"
    assert verdicts["dli-auth-signature"] == "not run"
    totals = report_of(outcome)["totals"]
    assert (totals["violated"], totals["held"], totals["skipped"]) == (1, 1, 1)
    assert sum(totals.values()) == len(verdicts)


def test_a_known_failure_is_told_apart_until_its_last_day() -> None:
    outcome = Outcome(violations=[violation(), violation(requirement="dli-auth-signature")])
    outcome.exercised["dli-auth-token", SQL] = 1
    report = report_of(
        outcome,
        known=[
            known("dli-auth-missing"),
            known("dli-auth-signature", date(2030, 1, 30)),
            known("dli-auth-token"),
            known("cancel-accepted"),
            known("ci-auth-missing"),
        ],
    )
    rows = {row["requirement"]: row for row in report["results"]}

    assert rows["dli-auth-missing"]["verdict"] == "known failure"
    assert rows["dli-auth-missing"]["expectation"] == {
        "reason": "dli-auth-missing is being worked on",
        "expires": "2030-01-31",
        "expired": False,
    }
    assert rows["dli-auth-missing"]["violations"]
    assert rows["dli-auth-signature"]["verdict"] == "violated"
    assert rows["dli-auth-signature"]["expectation"]["expired"]
    assert rows["dli-auth-token"]["verdict"] == "unexpected pass"
    assert rows["cancel-accepted"]["verdict"] == "not run"
    assert rows["dli-auth-wrong-key"]["expectation"] is None
    assert [row["outcome"] for row in report["expectations"]] == [
        "known failure", "expired", "unexpected pass", "not verified", "not verified",
    ]  # fmt: skip
    assert (report["totals"]["known failure"], report["totals"]["unexpected pass"]) == (1, 1)


def test_the_report_says_what_was_run_and_where() -> None:
    report = report_of(Outcome(observed={"dli-settle": {SQL: "later"}}), seed=7)

    assert (report["seed"], report["date"]) == (7, "2030-01-31")
    assert report["suite"]["contract"] == {"otc-dli": "1.0.0"}
    assert report["selection"]["operations"] == ["cancelSqlJob"]
    (target,) = report["targets"]
    assert (target["api"], target["base_url"], target["host"]) == (
        "otc-dli",
        "http://127.0.0.1:1",
        "127.0.0.1:1",
    )
    assert (target["jobs"], target["provider_states"]) == (None, None)
    assert target["observed"] == {"dli-settle": {SQL: "later"}}
    assert set(report["silent_points"]) == {"dli-settle"}


def test_a_report_of_a_selection_is_about_nothing_else() -> None:
    outcome = Outcome(violations=[violation()])
    only = report_of(outcome, only=["dli-auth-missing", "dli-auth-token"])
    level = report_of(outcome, level="MUST")
    case = report_of(outcome, case=f"{SQL}/table/c")

    assert [row["requirement"] for row in only["results"]] == ["dli-auth-missing", "dli-auth-token"]
    assert only["selection"]["requirements"] == ["dli-auth-missing", "dli-auth-token"]
    assert {row["level"] for row in level["results"]} == {level["selection"]["level"]} == {"MUST"}
    assert [row["requirement"] for row in case["results"]] == ["dli-auth-missing"]
    assert case["selection"]["case"] == f"{SQL}/table/c"


def test_the_published_form_knows_every_word_of_the_suite() -> None:
    schema = json.loads(spec_path("verify/report.schema.json").read_text("utf-8"))

    assert set(LAYERS) <= set(schema["$defs"]["layer"]["enum"])
    assert set(BUDGETS) == set(schema["properties"]["budget"]["enum"])
    assert set(data.VERDICTS) == set(schema["properties"]["totals"]["required"])
    assert set(data.VERDICTS) == set(schema["$defs"]["result"]["properties"]["verdict"]["enum"])
    assert set(APIS) == set(schema["$defs"]["api"]["enum"])


def _objects(node: object) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "properties" in node:
            yield node
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _objects(each)


@pytest.mark.parametrize("name", ["report", "profile"])
def test_the_published_form_is_closed_and_described(name: str) -> None:
    schema = json.loads(spec_path(f"verify/{name}.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)

    for node in _objects(schema):
        assert node["additionalProperties"] is False
        assert set(node["required"]) <= set(node["properties"])
    for member, about in schema["properties"].items():
        assert about["description"], member


def test_each_cell_of_the_table_has_its_line() -> None:
    held = CellResult(SQL, "token", "job-RUNNING", "as-documented", f"{SQL}/table/c", "held", 200)
    cells = [held, replace(held, state="job-FAILED", verdict="violated", status=500)]
    report = report_of(Outcome(cells=[*cells, replace(cells[0], verdict="skipped", status=None)]))

    assert [(row["state"], row["verdict"], row["status"]) for row in report["cells"]] == [
        ("job-RUNNING", "held", 200), ("job-FAILED", "violated", 500), ("job-RUNNING", "skipped", None),
    ]  # fmt: skip
    assert json.loads(data.to_json(report)) == report
    assert len([line for line in data.to_json(report).splitlines() if '"shape"' in line]) == 3


def test_a_violation_of_one_operation_is_none_of_another() -> None:
    assert Outcome(violations=[violation(operation=BATCH)]).verdict("dli-auth-missing", SQL) == "not run"


def test_one_mistake_is_told_once_with_its_smallest_request_and_the_layers_that_found_it() -> None:
    outcome = Outcome(
        violations=[
            violation("f", "a refusal in RUNNING", layer="fuzz"),
            violation("a-long-case", received="first"),
            violation("b", received="second"),
            violation("another-case", "a refusal with 4xx", received="third"),
            violation("m", "a refused credential", layer="model"),
        ]
    )
    (group,) = row_of(report_of(outcome))["violations"]

    assert group["layers"] == {"table": 3, "fuzz": 1, "model": 1}
    assert (group["gravity"], group["count"], group["received"]) == ("acceptance", 5, "second")
    assert group["case"] == f"{SQL}/table/b"
    assert group["cases"] == [
        f"{SQL}/{case}"
        for case in ("table/b", "table/a-long-case", "table/another-case", "fuzz/f", "model/m")
    ]
    assert "case/b" in group["request"]


def answered(status: int) -> Exchange:
    return Exchange(request(), Response(status, (), b""))


GRAVE_TO_SLIGHT = (
    violation("state", "the job as it was, RUNNING", "200, then state CANCELLED", gravity="state"),
    violation("accepted", "a refusal with 4xx", "200"),
    violation("status", "a refusal with 401 or 403", "400", exchange=answered(400)),
)


def test_a_forbidden_cancel_is_told_before_a_wrong_status() -> None:
    groups = row_of(report_of(Outcome(violations=list(reversed(GRAVE_TO_SLIGHT)))))["violations"]

    assert [(group["gravity"], group["case"]) for group in groups] == [
        ("state", f"{SQL}/table/state"),
        ("acceptance", f"{SQL}/table/accepted"),
        ("status", f"{SQL}/table/status"),
    ]


@pytest.mark.parametrize(
    ("requirement", "said", "status", "gravity"),
    [
        ("cancel-takes-effect", None, 200, "state"),
        ("refusal-changes-nothing", None, 403, "state"),
        ("bystander-untouched", None, 200, "state"),
        ("dli-auth-missing", "state", 401, "state"),
        ("cancel-accepted", None, 404, "acceptance"),
        ("dli-auth-token", "acceptance", 401, "acceptance"),
        ("dli-auth-missing", None, 200, "acceptance"),
        ("secrets-not-echoed", None, 200, "leak"),
        ("dli-auth-missing", None, 404, "status"),
        ("no-server-fault", None, 500, "status"),
        ("dli-success-is-json", None, 200, "form"),
    ],
)
def test_a_violation_has_its_gravity(requirement: str, said: str | None, status: int, gravity: str) -> None:
    # Words decide nothing.
    broken = violation(
        "c", "an accepted state as it was", requirement=requirement, exchange=answered(status), gravity=said
    )

    assert row_of(report_of(Outcome(violations=[broken])), requirement)["violations"][0]["gravity"] == gravity


def test_two_wrong_forms_are_two_groups_and_the_vague_layers_add_to_the_first() -> None:
    form = {"requirement": "dli-error-is-json"}
    outcome = Outcome(
        violations=[
            violation("f", "a body as documented", layer="fuzz", **form),
            violation("a", "Content-Type application/json", **form),
            violation("b", "the members error_code, error_msg", **form),
        ]
    )
    groups = row_of(report_of(outcome), "dli-error-is-json")["violations"]

    assert [(group["expected"], group["layers"]) for group in groups] == [
        ("Content-Type application/json", {"table": 1, "fuzz": 1}),
        ("the members error_code, error_msg", {"table": 1}),
    ]


def test_the_gravest_result_comes_first_and_a_must_before_a_should() -> None:
    slight, must, should = (
        violation("c", "JSON", requirement="dli-error-is-json", exchange=answered(400)),
        violation("c", "the job as it was, FINISHED", requirement="bystander-untouched"),
        violation("c", "the job as it was, FINISHED", requirement="refusal-changes-nothing"),
    )
    report = report_of(Outcome(violations=[slight, should, must]))

    assert [row["requirement"] for row in words.broken(report)] == [
        "bystander-untouched", "refusal-changes-nothing", "dli-error-is-json",
    ]  # fmt: skip


# ------------------------------------------------------------------ headline

SHOULD = violation(requirement="unknown-job-refused")


def headline(
    *violations: Violation, held: Sequence[str] = ("dli-auth-token",), status: int = 0, **options: Any
) -> str:
    outcome = Outcome(violations=list(violations), accepted=1)
    outcome.exercised.update({(requirement, SQL): 1 for requirement in held})
    outcome.exercised.update({(each.requirement, SQL): 1 for each in violations})
    # The others are not of the run, so that the sentence counts what the test is about.
    chosen = [*held, *(each.requirement for each in violations), *options.pop("more", ())]
    return str(report_of(outcome, status, only=chosen, **options)["headline"])


def test_the_headline_claims_what_was_checked_and_no_more() -> None:
    assert headline() == "Conforms to every requirement that was checked"
    assert (
        headline(more=["cancel-accepted"]) == "Conforms to every requirement that was checked; 1 not checked"
    )
    assert headline(SHOULD) == "Conforms to every MUST that was checked; 1 SHOULD violated"
    assert headline(SHOULD, held=()) == "No MUST was checked; 1 SHOULD violated"
    assert headline(held=(), more=["cancel-accepted"]) == "Nothing was checked; 1 not checked"
    assert (
        headline(violation(), known=[known("dli-auth-missing")])
        == "Conforms to every MUST that was checked, known failures aside; 1 known failure"
    )


def test_the_headline_counts_what_is_broken() -> None:
    assert headline(violation(), SHOULD, status=1) == "Does not conform: 1 MUST violated, 1 SHOULD violated"
    assert headline(SHOULD, status=1, strict=True) == "Does not conform: 1 SHOULD violated"
    assert headline(violation(), status=3, stopped="lost") == "Not verified: lost; 1 MUST violated"


def test_a_whole_run_in_which_all_holds_conforms_to_every_requirement() -> None:
    names = {row["requirement"] for row in report_of(Outcome())["results"]}
    outcome = Outcome()
    outcome.exercised.update({(name, SQL): 1 for name in names})
    run = report_of(outcome, 0)
    run["selection"]["operations"] = []

    assert words.headline(run) == "Conforms to every requirement"
    assert words.headline(run | {"layers": ["table"]}) == "Conforms to every requirement that was checked"
    assert words.headline(run | {"live": True}) == "Conforms to every requirement that was checked"
    run["results"][0]["skips"] = [{"reason": "no job", "count": 1, "cases": []}]
    assert words.headline(run) == "Conforms to every requirement that was checked"


def test_only_what_conforms_without_a_violation_is_green() -> None:
    assert words.tone(report_of(Outcome(), 0)) == "held"
    assert words.tone(report_of(Outcome(violations=[SHOULD]), 0)) == "skipped"
    assert words.tone(report_of(Outcome(), 3)) == "violated"


def test_a_group_is_shown_by_a_request_where_it_has_one() -> None:
    outcome = Outcome(violations=[violation("a", exchange=None), violation("b")])

    assert row_of(report_of(outcome))["violations"][0]["case"] == f"{SQL}/table/b"


def test_a_report_of_long_bodies_and_targets_stays_small() -> None:
    long = Exchange(
        request("c", ("X-Long", "x" * 100_000), target="/" + "y" * 100_000),
        Response(200, (), b"z" * 1_000_000),
    )
    outcome = Outcome(violations=[violation("c", "e" * 100_000, "r" * 100_000, exchange=long)])
    (group,) = row_of(report_of(outcome))["violations"]

    for member in ("expected", "received", "request", "response"):
        assert len(group[member]) < 8100, member
        assert "characters more" in group[member], member


def test_no_answer_is_told_as_such() -> None:
    outcome = Outcome(violations=[violation(exchange=Exchange(request(), None))])

    assert row_of(report_of(outcome))["violations"][0]["response"] == "(no answer)"


def test_the_json_is_stable_and_readable_again() -> None:
    outcome = Outcome(violations=[violation(received="ä 任 🚀")])
    one, two = report_of(outcome), report_of(outcome)

    assert data.to_json(one) == data.to_json(two)
    assert json.loads(data.to_json(one)) == one
    assert set(one) == {
        "format", "suite", "date", "seed", "budget", "workers", "layers", "live", "selection", "seconds", "strict",
        "exit_status", "headline", "stopped", "targets", "totals", "requirements", "silent_points", "results",
        "expectations", "cells",
    }  # fmt: skip
    assert one["format"] == 2


def test_a_control_character_stays_visible() -> None:
    assert data.printable("a\x1bb\r\nc\td\x00\ud800") == "a\\x1bb\nc\td\\x00\\ud800"
