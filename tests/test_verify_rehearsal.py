"""What a run would send is known without sending it."""

from __future__ import annotations

import re

import pytest
from fake_target import PLANTED, PROJECT, SECRET_KEY, TOKEN, FakeTarget, Seen

from calloff.apis import APIS, OPERATIONS
from calloff.contract import load_catalogue
from calloff.mock.server import run_embedded
from calloff.verify.engine import LAYERS, Layer, Run
from calloff.verify.provider_states import announced_targets
from calloff.verify.rehearsal import PlannedRequest
from calloff.verify.strict_wire import StrictWire
from calloff.verify.target import Keys, Target
from calloff.verify.wire import Request, Response, Wire

CATALOGUE = load_catalogue()
SQL = "otc-dli/cancelSqlJob"


def rehearse(fake: FakeTarget, **options: object) -> list[PlannedRequest]:
    target = fake.target()
    planned = Run(CATALOGUE, **options).rehearse([target])  # type: ignore[arg-type]
    target.close()
    return planned


def test_nothing_is_sent() -> None:
    calls: list[str] = []

    class Watched(FakeTarget):
        def answer(self, request: Seen):  # type: ignore[no-untyped-def]
            calls.append(request.target)
            return super().answer(request)

    with Watched() as fake:
        assert rehearse(fake, layers=["table", "races"])

    assert calls == []


@pytest.mark.parametrize("seed", [0, 7])
def test_it_repeats_itself(seed: int) -> None:
    with FakeTarget() as fake:
        first = rehearse(fake, operations=[SQL], seed=seed, layers=["table", "model"])
        assert rehearse(fake, operations=[SQL], seed=seed, layers=["table", "model"]) == first


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("key", [SQL, "tencent-ci/cancelAiJob"])
def test_it_is_what_a_right_server_is_sent(layer: Layer, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    send = Wire.send

    def note(request: Request) -> None:
        if "/provider-states" not in request.target:
            case = (request.header("User-Agent") or "").partition("case/")[2]
            sent.append((case, f"{request.method} {form_of(request.target, target.keys.project_id)}"))

    def recording(wire: Wire, request: Request) -> Response:
        note(request)
        return send(wire, request)

    strict = StrictWire.send

    def recording_strictly(wire: StrictWire, request: Request) -> Response:
        note(request)
        return strict(wire, request)

    monkeypatch.setattr(Wire, "send", recording)
    monkeypatch.setattr(StrictWire, "send", recording_strictly)
    run = Run(CATALOGUE, operations=[key], layers=[layer])
    with run_embedded([OPERATIONS[key].api]) as server:
        (target,) = announced_targets(server.announcement)
        planned = run.rehearse([target])
        assert sent == []
        assert run.verify([target]) == 0

    assert sent == [
        (p.case_id, f"{p.method} {form_of(p.url.removeprefix(target.base_url), target.keys.project_id)}")
        for p in planned
    ]


def form_of(target: str, project: str) -> str:
    """Leave out of a request target what is not known beforehand: ids that the server made, and signatures."""
    path, mark, query = target.partition("?")
    segments = path.rstrip("/").split("/")
    asked = segments.pop() if segments[-1] in {"state", "status"} else ""
    segments[-1] = asked
    if segments[-2] == "jobs" and segments[-3] != project:
        segments[-3] = "of another owner"
    bare = "&".join(part for part in query.split("&") if not part.startswith(("q-", "sign=", "x-c")))
    return f"{'/'.join(segments)}/… {mark if bare else ''}{bare}"


def test_no_secret_is_in_it() -> None:
    with FakeTarget() as fake, FakeTarget(api="tencent-ci") as other:
        planned = [*rehearse(fake, layers=["table"]), *rehearse(other, layers=["table"])]

    text = repr(planned)
    assert "signature in the query" in text
    for secret in (SECRET_KEY, TOKEN, PLANTED.partition("{")[0], "q-signature", "KEYID"):
        assert secret not in text


def test_it_tells_which_jobs_may_be_cancelled() -> None:
    with FakeTarget() as fake:
        planned = {p.case_id: p for p in rehearse(fake, operations=[SQL], layers=["table"])}
    case = f"{SQL}/table/{{}}/as-documented"

    accepted = planned[case.format("token/job-RUNNING")]
    assert accepted.cancels
    assert re.fullmatch(r"\{job_id [0-9]+\}", accepted.job)
    assert accepted.url == f"{fake.url}/v1.0/{PROJECT}/jobs/{{job_id}}"
    assert accepted.credential == "token"
    for cell in ("token/job-FINISHED", "no-credential/job-LAUNCHING", "default-credential/foreign-LAUNCHING"):
        assert not planned[case.format(cell)].cancels
    assert planned[case.format("default-credential/unknown")].job == "made up"
    assert not planned[f"{SQL}/table/default-credential/job-RUNNING/method-POST"].cancels


def test_the_examination_comes_first() -> None:
    with FakeTarget() as fake:
        planned = rehearse(fake, operations=[SQL], layers=["races"])

    assert [("/preflight/" in p.case_id) for p in planned] == sorted(
        (("/preflight/" in p.case_id) for p in planned), reverse=True
    )
    assert planned[0].credential == "none"


def test_without_a_source_of_jobs_only_made_up_ones_are_named() -> None:
    keys = Keys("KEYID", SECRET_KEY, token=TOKEN, project_id=PROJECT)
    planned = Run(CATALOGUE).rehearse([Target(APIS["otc-dli"], "http://127.0.0.1:1", keys)])

    assert planned
    assert {p.job for p in planned} == {"made up"}
    assert not any(p.cancels for p in planned)
