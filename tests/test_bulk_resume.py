"""A run with a journal: each id has one outcome in the end, whenever the run before ended."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from bulk_support import CANCELLED, EVERY, OTC_BATCH, OTC_SQL, Time, cancel, client, jobs, states

from calloff import InvalidInputError, JournalError, cancel_many
from calloff.bulk.journal import Journal, JournalHeader
from calloff.mock.disturbances import Disturbance
from calloff.mock.server import run_embedded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

    from calloff.mock.server import MockServer

every_operation = pytest.mark.parametrize("operation", EVERY)


@pytest.fixture
def server() -> Iterator[MockServer]:
    with run_embedded() as running:
        yield running


def header(operation: str) -> JournalHeader:
    return JournalHeader(operation=operation, endpoint="http://127.0.0.1", project_id="p", identity="nobody")


def results(journal: Journal) -> dict[str, int]:
    return {name: count for name, count in journal.counts().items() if count}


@every_operation
def test_every_outcome_is_in_the_journal_before_it_is_told(
    server: MockServer, tmp_path: Path, operation: str
) -> None:
    made = jobs(server, operation, 70)

    async def program(journal: Journal) -> None:
        ids = [job.id for job in made]
        running = cancel_many(
            client(server, operation), operation.partition("/")[2], ids, rate=None, journal=journal
        )
        async with aclosing(running):
            async for outcome in running:
                assert outcome in set(journal.outcomes())

    with Journal.create(tmp_path / "run", header(operation)) as journal:
        asyncio.run(program(journal))
        assert results(journal) == {"cancelled": 70}
    assert set(states(server, made)) == {CANCELLED[operation]}


def test_an_id_given_twice_is_cancelled_once(server: MockServer, tmp_path: Path) -> None:
    (job,) = jobs(server, OTC_SQL, 1)
    with Journal.create(tmp_path / "run", header(OTC_SQL)) as journal:
        found = cancel(client(server, OTC_SQL), OTC_SQL, [job.id, job.id], journal=journal)

    assert [outcome.result for outcome in found] == ["cancelled"]


def test_ids_for_a_journal_may_be_asynchronous(server: MockServer, tmp_path: Path) -> None:
    made = jobs(server, OTC_SQL, 5)

    async def ids() -> AsyncGenerator[str]:
        for job in made:
            yield job.id

    with Journal.create(tmp_path / "run", header(OTC_SQL)) as journal:
        found = cancel(client(server, OTC_SQL), OTC_SQL, ids(), journal=journal)

    assert Counter(outcome.result for outcome in found) == {"cancelled": 5}


def test_what_an_earlier_run_may_have_sent_is_settled_by_state_and_sent_only_where_it_runs(
    server: MockServer, tmp_path: Path
) -> None:
    by_state = {state: jobs(server, OTC_SQL, 3, state) for state in ("RUNNING", "CANCELLED", "FINISHED")}
    made = [job for some in by_state.values() for job in some]
    with Journal.create(tmp_path / "run", header(OTC_SQL)) as journal:
        journal.add(job.id for job in made)
        assert len(journal.claim(100)) == 9  # and the process dies
    with Journal.open(tmp_path / "run") as journal:
        found = cancel(client(server, OTC_SQL), OTC_SQL, [], journal=journal, time=Time())
        assert results(journal) == {"cancelled": 6, "refused": 3}

    told = {outcome.job_id: (outcome.result, outcome.state, outcome.attempts) for outcome in found}
    assert {told[job.id] for job in by_state["RUNNING"]} == {("cancelled", "", 1)}
    assert {told[job.id] for job in by_state["CANCELLED"]} == {("cancelled", "CANCELLED", 0)}
    assert {told[job.id] for job in by_state["FINISHED"]} == {("refused", "FINISHED", 0)}
    sent = [entry for entry in server.journal.entries() if entry.method == "DELETE"]
    assert len(sent) == 3


def test_a_batch_that_is_dead_when_a_run_is_resumed_is_unknown(server: MockServer, tmp_path: Path) -> None:
    (job,) = jobs(server, OTC_BATCH, 1, "dead")
    with Journal.create(tmp_path / "run", header(OTC_BATCH)) as journal:
        journal.add([job.id])
        journal.claim(1)
    with Journal.open(tmp_path / "run") as journal:
        (outcome,) = cancel(client(server, OTC_BATCH), OTC_BATCH, [], journal=journal, time=Time())

    assert (outcome.result, outcome.state) == ("unknown", "dead")


def test_batches_that_are_dead_do_not_end_a_resumed_run_as_failures(
    server: MockServer, tmp_path: Path
) -> None:
    dead, open_still = jobs(server, OTC_BATCH, 30, "dead"), jobs(server, OTC_BATCH, 5)
    with Journal.create(tmp_path / "run", header(OTC_BATCH)) as journal:
        journal.add(job.id for job in [*dead, *open_still])
        journal.claim(30)
    with Journal.open(tmp_path / "run") as journal:
        cancel(client(server, OTC_BATCH), OTC_BATCH, [], journal=journal, time=Time(), give_up_after=2)
        assert results(journal) == {"unknown": 30, "cancelled": 5}


def test_what_an_earlier_run_may_have_sent_is_never_called_unsent(server: MockServer, tmp_path: Path) -> None:
    made = jobs(server, OTC_SQL, 40, "CANCELLED")
    stop = asyncio.Event()
    stop.set()
    with Journal.create(tmp_path / "run", header(OTC_SQL)) as journal:
        journal.add(job.id for job in made)
        journal.claim(30)
    with Journal.open(tmp_path / "run") as journal:
        found = cancel(client(server, OTC_SQL), OTC_SQL, [], journal=journal, time=Time(), stop=stop)
        assert results(journal) == {"unknown": 30, "not-sent": 10}
        assert "an earlier run may have sent a cancel; the run stopped: it was" in found[0].reason
    with Journal.open(tmp_path / "run") as journal:
        assert list(journal.unsettled()) == [job.id for job in made[:30]]


def test_a_run_that_stopped_can_be_resumed(server: MockServer, tmp_path: Path) -> None:
    made = jobs(server, OTC_SQL, 300)
    server.disturbances.add(Disturbance(kind="reset", operations="otc-dli/*"))
    with Journal.create(tmp_path / "run", header(OTC_SQL)) as journal:
        found = cancel(
            client(server, OTC_SQL), OTC_SQL, [job.id for job in made], journal=journal, time=Time()
        )
        assert len(found) == 300
        assert set(results(journal)) <= {"unknown", "not-sent"}
        assert results(journal)["not-sent"] > 200
    server.disturbances.clear()
    with Journal.open(tmp_path / "run") as journal:
        cancel(client(server, OTC_SQL), OTC_SQL, [], journal=journal, time=Time())
        assert results(journal) == {"cancelled": 300}
    assert set(states(server, made)) == {"CANCELLED"}


@pytest.mark.parametrize("way", ["close", "cancel"])
def test_a_run_that_is_left_early_can_be_resumed(server: MockServer, tmp_path: Path, way: str) -> None:
    made = jobs(server, OTC_SQL, 300)
    first = asyncio.Event()

    async def consume(journal: Journal) -> None:
        ids = [job.id for job in made]
        running = cancel_many(
            client(server, OTC_SQL), "cancelSqlJob", ids, concurrency=4, rate=None, journal=journal
        )
        async with aclosing(running):
            async for _ in running:
                first.set()
                if way == "close":
                    break
                await asyncio.Event().wait()

    async def program(journal: Journal) -> None:
        task = asyncio.create_task(consume(journal))
        await first.wait()
        if way == "cancel":
            task.cancel()
        await asyncio.wait([task])

    with Journal.create(tmp_path / "run", header(OTC_SQL)) as journal:
        asyncio.run(program(journal))
        counts = results(journal)
        # What was in flight ended, and what was claimed and not sent waits again.
        assert counts.keys() == {"waiting", "cancelled"}
        assert counts["cancelled"] == states(server, made).count("CANCELLED")
    with Journal.open(tmp_path / "run") as journal:
        cancel(client(server, OTC_SQL), OTC_SQL, [], journal=journal)
        assert results(journal) == {"cancelled": 300}


def test_a_journal_of_another_operation_is_refused(server: MockServer, tmp_path: Path) -> None:
    with (
        Journal.create(tmp_path / "run", header(OTC_BATCH)) as journal,
        pytest.raises(InvalidInputError, match="belongs to the operation"),
    ):
        cancel(client(server, OTC_SQL), OTC_SQL, [], journal=journal)


def test_a_journal_that_cannot_be_written_ends_the_run_with_its_error(
    server: MockServer, tmp_path: Path
) -> None:
    made = jobs(server, OTC_SQL, 10)
    with Journal.create(tmp_path / "run", header(OTC_SQL)) as journal:
        journal.add(job.id for job in made)
        journal.close()
        with pytest.raises(JournalError):
            cancel(client(server, OTC_SQL), OTC_SQL, [], journal=journal)
    assert set(states(server, made)) == {"RUNNING"}
