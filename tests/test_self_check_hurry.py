"""What makes a self-check quick: a clock on which nobody waits, provider states without a connection."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from calloff.apis import APIS
from calloff.cli.self_check import trials
from calloff.cli.self_check.hurry import Desk, hurried_clock
from calloff.cli.self_check.plan import variations
from calloff.cli.self_check.trials import Variation, Verdict, run_trial
from calloff.mock.journal import LENGTH, Filter
from calloff.mock.server import run_embedded
from calloff.verify.checks import LAYERS
from calloff.verify.provider_states import ProviderStates
from calloff.verify.target import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from calloff.mock.server import MockServer

SQL = APIS["huaweicloud-dli"].operations["cancelSqlJob"]
UUID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LATER = Variation(
    "choice", "later", "huaweicloud-dli", {"dli-settle": "later"}, layers=("races",), hurried=True
)


def test_sleeping_moves_the_clock_on_without_waiting() -> None:
    clock, began = hurried_clock(), monotonic()
    now, elapsed = clock.now(), clock.elapsed()

    clock.sleep(3600)

    assert clock.now() - now >= 3600
    assert clock.elapsed() - elapsed >= 3600
    assert monotonic() - began < 1800


def test_a_job_asked_for_at_the_desk_is_the_servers() -> None:
    with run_embedded(["huaweicloud-dli"]) as server:
        url = server.announcement["provider_states_url"]
        near, far = ProviderStates(url, sender=Desk(server.state)), ProviderStates(url)
        job = near.new_job(SQL, "RUNNING", "self")

        assert near.abilities(SQL.api) == far.abilities(SQL.api)
        assert far.state(SQL, job.job_id) == near.state(SQL, job.job_id) == "RUNNING"
        far.close()


def test_the_desk_refuses_as_the_server_does() -> None:
    with run_embedded(["huaweicloud-dli"]) as server:
        url = server.announcement["provider_states_url"]
        near, far = ProviderStates(url, sender=Desk(server.state)), ProviderStates(url)
        refusals = []
        for states in (near, far):
            with pytest.raises(TargetError) as caught:
                states.new_job(SQL, "no-such-state", "self")
            refusals.append(str(caught.value))
        far.close()

    assert refusals[0] == refusals[1]
    assert "no-such-state" in refusals[0]


def test_a_hurried_server_that_settles_later_is_seen_to_and_not_blamed() -> None:
    results = [
        run_trial(replace(LATER, records={"dli-settle": expected}))[0] for expected in ("later", "at-once")
    ]

    seen, unseen = results
    assert isinstance(seen, Verdict)
    assert isinstance(unseen, Verdict)
    assert seen.well
    assert unseen.unrecorded == ("dli-settle: expected at-once, recorded later",)


def test_a_seed_changes_the_ids_that_the_suite_and_the_server_make_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    named: list[set[str]] = []

    @contextmanager
    def watched(*args: Any, **options: Any) -> Iterator[MockServer]:
        with run_embedded(*args, **options) as server:
            yield server
            entries = server.journal.entries(Filter(), limit=LENGTH)
            named.append({job_id for entry in entries for job_id in UUID.findall(entry.target)})

    monkeypatch.setattr(trials, "run_embedded", watched)
    for seed in (0, 1):
        run_trial(replace(LATER, layers=("table",), seed=seed))

    assert all(named)
    assert not named[0] & named[1]


def test_the_first_seed_of_every_choice_is_tried_in_real_time_and_over_http_alone() -> None:
    tried = {
        (v.kind, v.hurried) for v in variations(full=False, seeds=2) if v.budget == "quick" and v.seed == 0
    }

    assert tried == {("choice", False), ("disturbance", False)}
    assert all(not v.hurried for v in variations(full=True, seeds=2) if v.seed == 0)


def test_the_full_form_tries_every_layer_at_the_standard_budget() -> None:
    tried = {(v.layers, v.seed) for v in variations(full=True, seeds=20) if v.budget == "standard"}

    assert tried == {(LAYERS, 0), (LAYERS, 1)}
