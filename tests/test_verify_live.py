"""A run as against the live cloud: a private authority, a vendor's Host, a jobs file, no provider states."""

from __future__ import annotations

import re
import ssl
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from calloff.apis import APIS
from calloff.contract import load_catalogue
from calloff.mock.disturbances import Disturbance
from calloff.mock.server import run_embedded
from calloff.mock.tls import Tls
from calloff.verify.engine import Run
from calloff.verify.given import given_target
from calloff.verify.provider_states import announced_targets
from calloff.verify.shapes import JOB_STATES
from calloff.verify.target import Target

HOST = "dli.eu-de.otc.t-systems.com"
SQL = APIS["otc-dli"].operations["cancelSqlJob"]
STATES = JOB_STATES[SQL.key]
CANCELLABLE, FINAL = 40, 2


def test_a_live_run_sends_what_its_rehearsal_lists_and_touches_no_job_but_those_it_was_given(
    tmp_path: Path,
) -> None:
    catalogue = load_catalogue()
    throttle = Disturbance(kind="throttle", rate=0.0, requests=3, retry_after=0)
    with run_embedded(["otc-dli"], tls=Tls(), disturbances=[throttle]) as server:
        announced = server.announcement["apis"]["otc-dli"]
        trusted = ssl.create_default_context(cafile=server.announcement["ca_file"])
        (supplier,) = announced_targets(server.announcement, tls=trusted)
        given = {state: _made(supplier, state, CANCELLABLE) for state in STATES.cancellable}
        given |= {state: _made(supplier, state, FINAL) for state in STATES.final}
        left_out = _made(supplier, "RUNNING", 5)
        (tmp_path / "jobs.toml").write_text(
            "[otc-dli.cancelSqlJob]\n" + "".join(f"{state} = {ids}\n" for state, ids in given.items())
        )
        (tmp_path / "credentials.toml").write_text(
            "[otc-dli]\n" + "".join(f'{name} = "env:{name.upper()}"\n' for name in announced["credentials"])
        )
        target = given_target(
            ["otc-dli"],
            announced["base_url"],
            host=HOST,
            project_id=announced["project_id"],
            jobs=tmp_path / "jobs.toml",
            credentials=tmp_path / "credentials.toml",
            ca_file=server.announcement["ca_file"],
            live=True,
            rate=10_000,
            max_requests=900,
            environment={name.upper(): value for name, value in announced["credentials"].items()},
        )
        run = Run(catalogue, live=True, operations=["cancelSqlJob"])
        listed = run.rehearse([target])
        server.journal.clear()
        status = run.verify([target])
        seen = server.journal.entries()
        after = {job_id: supplier.state(SQL, job_id) for ids in [*given.values(), left_out] for job_id in ids}
        supplier.close()

    outcome = run.outcomes["otc-dli"]
    assert (status, run.stopped, outcome.violations) == (0, "", [])
    assert outcome.accepted > 0
    assert {request.host for request in listed} == {HOST}

    # A request that was throttled is sent again.
    planned = {
        (request.case_id, request.method, journalled(urlsplit(request.url).path)) for request in listed
    }
    assert {(entry.case, entry.method, entry.target.partition("?")[0]) for entry in seen} <= planned
    assert Counter(entry.status for entry in seen)[429] == 3
    ids = {segment for _, _, path in planned for segment in path.split("/")}
    assert ids.isdisjoint(left_out)

    cancelled = [job_id for job_id, state in after.items() if state == STATES.cancelled]
    assert set(cancelled) <= {job_id for state in STATES.cancellable for job_id in given[state]}
    assert len(cancelled) == sum(request.cancels for request in listed) == outcome.accepted

    assert not any("%0D%0A" in request.url for request in listed)

    # The state of a given job is asked for by the vendor's own call, that of one that stands by as well.
    read = {entry.target.split("/")[-2] for entry in seen if entry.operation == "getSqlJobStatus"}
    assert read
    assert read <= set(after) - set(left_out)
    for requirement in ("cancel-takes-effect", "refusal-changes-nothing", "bystander-untouched"):
        assert outcome.verdict(requirement, SQL.key) == "held"


def journalled(path: str) -> str:
    """Write *path* as the mock's journal does, which keeps no long part of one."""
    return re.sub("[^/]{65,}", "***", path)


def _made(supplier: Target, state: str, number: int) -> list[str]:
    return [supplier.new_job(SQL, state).job_id for _ in range(number)]
