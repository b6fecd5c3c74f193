"""What DLI tells of a job when it is asked for its state, as JSON.

Sources: OTC-API querying_job_status.rst and querying_a_batch_processing_job_status.rst; HW-21.
Jobs of the mock were made by no request and have no data: members about those say as little as they may. No times
are noted either: a job began when the server did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from calloff.mock.dli.errors import json_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from calloff.mock.pipeline import Answer, Exchange


def status_writer(name: str, *, owner: str, began: float) -> Callable[[Exchange], Answer]:
    """Give the step that tells the state of the job that was found.

    Args:
        name: of the status call.
        owner: the user who made the job.
        began: when the server began, in epoch seconds.
    """

    def batch(exchange: Exchange) -> Answer:
        return json_answer(200, {"id": exchange.job.id, "state": exchange.job.state(exchange.now)})

    def sql(exchange: Exchange) -> Answer:
        return json_answer(
            200,
            {
                "is_success": True,
                "message": "",
                "job_id": exchange.job.id,
                "job_type": "QUERY",
                "job_mode": "async",
                "queue_name": "default",
                "owner": owner,
                "start_time": int(began * 1000),
                "status": exchange.job.state(exchange.now),
                "input_size": 0,
                "result_count": 0,
                "detail": "",
                "statement": "",
            },
        )

    return batch if name == "getBatchJobState" else sql
