"""A Locust user that cancels jobs with signed requests, for load tests of a server of one's own (``calloff[load]``).

Locust runs it, in one process or with its own master and workers. The master reads the ids and deals them out, so that
each job is cancelled by one user only.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from calloff.errors import ApiError, InvalidInputError, MissingExtraError
from calloff.transport import Answer

try:
    from locust import FastHttpUser, events, task
    from locust.exception import StopUser
    from locust.runners import MasterRunner, WorkerRunner
except ImportError as error:
    raise MissingExtraError("load tests need the extra: pip install 'calloff[load]'") from error

if TYPE_CHECKING:
    from locust.env import Environment

    from calloff.calls import Core

_MESSAGE = "calloff-ids"


class CancelUser(FastHttpUser):
    """Cancels one job after another, each once, and stops when there are none left.

    Subclasses name the ``operation``, such as ``cancelSqlJob``, the file of ids (``ids_file``, one per line, on the
    machine of the master), and the client whose configuration is used (``configured``). What a client would raise for
    an answer is a failure, the 200 that is none included.
    """

    abstract = True
    operation: ClassVar[str]
    ids_file: ClassVar[str] = "ids.txt"
    job_ids: ClassVar[deque[str]] = deque()
    # As the clients do: certificates are verified, nothing is followed or sent again.
    insecure = False
    max_redirects = 0
    max_retries = 0

    def configured(self) -> Any:
        """Make a client, such as ``OtcDliClient``, with a key or a token; ``self.host`` is Locust's ``--host``."""
        raise NotImplementedError

    def on_start(self) -> None:
        """Check the configuration."""
        core: Core = self.configured().core
        if core.token_source is not None:
            raise InvalidInputError("a load test needs a key or a token, not a user whose token is fetched")
        self._core = core

    @task
    def cancel(self) -> None:
        """Cancel one job."""
        if not self.job_ids:
            raise StopUser
        core, job_id = self._core, self.job_ids.popleft()
        call = core.call(core.api.operations[self.operation], job_id, None)
        request = core.prepare(call, None)
        with self.client.request(
            request.method,
            f"{request.scheme}://{request.host}:{request.port}{request.target}",
            name=call.operation.key,
            headers=dict(request.headers),
            allow_redirects=False,
            catch_response=True,
        ) as response:
            if not response.status_code:
                return  # no answer; Locust has the reason
            headers = tuple((name.encode(), value.encode()) for name, value in response.headers.items())
            outcome = core.outcome(
                call, request, Answer(response.status_code, headers, response.content or b"")
            )
            if isinstance(outcome, ApiError):
                response.failure(f"{outcome.status} {outcome.code} {outcome.text}")
            else:
                response.success()


@events.init.add_listener  # type: ignore[untyped-decorator]
def _listen(environment: Environment, **_: Any) -> None:
    """Let a worker take the ids that the master sends."""
    runner = environment.runner
    if isinstance(runner, WorkerRunner):
        runner.register_message(_MESSAGE, _take)


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _deal(environment: Environment, **_: Any) -> None:
    """Read the ids, and deal them out to the workers where there are some."""
    runner = environment.runner
    if isinstance(runner, WorkerRunner):
        return
    for user in environment.user_classes:
        if not issubclass(user, CancelUser):
            continue
        ids = Path(user.ids_file).read_text("utf-8").split()
        if not isinstance(runner, MasterRunner):
            user.job_ids = deque(ids)
            continue
        workers = list(runner.clients)
        for index, worker in enumerate(workers):
            dealt = {"user": user.__name__, "ids": ids[index :: len(workers)]}
            runner.send_message(_MESSAGE, dealt, worker)


def _take(environment: Environment, msg: Any, **_: Any) -> None:
    for user in environment.user_classes:
        if issubclass(user, CancelUser) and user.__name__ == msg.data["user"]:
            user.job_ids = deque(msg.data["ids"])
