"""Right recipes pass, and wrong ones fail, before the independent verifier; and no key is put at risk."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from urllib.parse import unquote

import hostile_server as hostile
import pytest
from fake_target import PROJECT, SECRET_KEY, SECURITY_TOKEN, TOKEN, FakeTarget
from hostile_server import Listener
from peers import reference

from calloff.apis import APIS, OPERATIONS, ApiName
from calloff.contract import load_catalogue
from calloff.mock.server import run_embedded
from calloff.verify.engine import Run
from calloff.verify.key_guard import MAX_FAILURES_IN_A_ROW
from calloff.verify.provider_states import announced_targets
from calloff.verify.recipes import RECIPES, Draft, Recipe
from calloff.verify.recipes.q_sign import CI_RECIPES
from calloff.verify.recipes.sdk_hmac import DLI_RECIPES
from calloff.verify.session import Session
from calloff.verify.shapes import request_for, target_of
from calloff.verify.target import Keys, Target
from calloff.verify.wire import NoAnswerError, Request, Response, TargetLostError, Wire

NOW = 1768469400.0  # 2026-01-15T09:30:00Z
KEYS = Keys("KEYID", SECRET_KEY, SECURITY_TOKEN, TOKEN, PROJECT)
TOKEN_HEADERS = ("x-ci-security-token", "x-cos-security-token", "x-security-token")
# What their name says is wrong with the key or its token, not with the signature.
RIGHTLY_SIGNED = {
    "signed X-Project-Id of another project",
    "key of another owner",
    "key of another project",
    "temporary key without its token",
    "temporary key with another token",
    "expired temporary key",
}
WRONG_TOKENS = {"empty token", "made-up token", "token cut short", "token with one letter more"}
RIGHT_TOKENS = {"token", "expired token", "token of another project"}


def built(recipe: Recipe, key: str) -> Request:
    operation = OPERATIONS[key]
    ids = dict.fromkeys(operation.patterns, "48cc2c48-765f-4814-80c7-db940d6409d1")
    others = dict.fromkeys(operation.patterns, "ffffffff-765f-4814-80c7-db940d6409d1")
    ids["project_id"] = others["project_id"] = PROJECT
    draft = request_for(operation, ids, host="h.example.com:8601", case="c")
    return recipe.build(Draft(draft, KEYS, NOW, target_of(operation, others)))


def verify(request: Request, keys: dict[str, str], now: float) -> None:
    """Raise RefusedError unless the request carries a good signature, token headers aside."""
    message = reference.Message(request.method, request.target, request.headers, request.body)
    if "secret_id" in keys:
        reference.verify_qsign(message, keys, now)
    else:
        reference.verify_hmac(message, keys, now)


def refused(request: Request, api: str, now: float = NOW) -> bool:
    name = "secret_id" if api == "tencent-ci" else "access_key"
    try:
        verify(request, {name: KEYS.key_id, "secret_key": KEYS.secret_key}, now)
    except reference.RefusedError:
        return True
    return False


SIGNED = [
    pytest.param(recipe, key, id=f"{key}-{recipe.name}")
    for key, operation in OPERATIONS.items()
    for recipe in RECIPES[operation.api]
    if recipe.name not in WRONG_TOKENS | RIGHT_TOKENS
]


@pytest.mark.parametrize(("recipe", "key"), SIGNED)
def test_the_independent_verifier_agrees_about(recipe: Recipe, key: str) -> None:
    if recipe.accepted or recipe.name in RIGHTLY_SIGNED:
        assert not refused(built(recipe, key), OPERATIONS[key].api)
    else:
        assert refused(built(recipe, key), OPERATIONS[key].api)


@pytest.mark.parametrize(
    "recipe", [r for r in DLI_RECIPES if r.name in WRONG_TOKENS | RIGHT_TOKENS], ids=lambda r: r.name
)
def test_a_token_recipe_sends_the_token_it_names(recipe: Recipe) -> None:
    request = built(recipe, "otc-dli/cancelSqlJob")

    assert request.header("Authorization") is None
    assert (request.header("X-Auth-Token") == TOKEN) == (recipe.name in RIGHT_TOKENS)


@pytest.mark.parametrize(
    "recipe", [r for r in (*CI_RECIPES, *DLI_RECIPES) if "temporary" in r.name], ids=lambda r: r.name
)
def test_a_temporary_key_comes_with_its_token_unless_the_name_says_otherwise(recipe: Recipe) -> None:
    request = built(recipe, "tencent-ci/cancelAiJob" if recipe in CI_RECIPES else "otc-dli/cancelSqlJob")
    tokens = [request.header(name) for name in TOKEN_HEADERS if request.header(name) is not None]

    assert tokens == {
        "temporary key without its token": [],
        "temporary key with another token": ["another-token"],
    }.get(recipe.name, [SECURITY_TOKEN])


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("temporary key, x-cos-security-token signed", "tencent-ci/cancelAiJob"),
        ("temporary key, token signed", "otc-dli/cancelSqlJob"),
    ],
)
def test_a_signed_token_is_covered_by_the_signature(name: str, key: str) -> None:
    api = OPERATIONS[key].api
    request = built(next(r for r in RECIPES[api] if r.name == name), key)
    swapped = tuple((k, "other" if k.lower() in TOKEN_HEADERS else v) for k, v in request.headers)

    assert refused(Request(request.method, request.target, swapped, request.body), api)


@pytest.mark.parametrize("recipe", CI_RECIPES, ids=lambda recipe: recipe.name)
def test_a_recipe_of_ci_also_fits_a_target_without_a_query(recipe: Recipe) -> None:
    draft = Request("PUT", "/ai_jobs/a1", (("Host", "h.example.com"), ("Content-Length", "0")))
    request = recipe.build(Draft(draft, KEYS, NOW, "/ai_jobs/a2"))

    assert refused(request, "tencent-ci") != bool(recipe.accepted or recipe.name in RIGHTLY_SIGNED)


def test_a_body_added_after_signing_replaces_the_length_that_was_sent() -> None:
    recipe = next(r for r in DLI_RECIPES if r.name == "body added after signing")
    draft = Request("DELETE", "/v1.0/p/jobs/j", (("Host", "h"), ("Content-Length", "0")))
    request = recipe.build(Draft(draft, KEYS, NOW, "/"))

    assert [value for name, value in request.headers if name == "Content-Length"] == [str(len(request.body))]


@pytest.mark.parametrize("api", RECIPES)
def test_recipes_of_an_api_have_different_names(api: ApiName) -> None:
    assert [name for name, times in Counter(r.name for r in RECIPES[api]).items() if times > 1] == []


@pytest.mark.parametrize("api", RECIPES)
def test_every_wrong_signature_under_a_real_key_counts_as_a_failure(api: ApiName) -> None:
    """Of another owner's key the signature is right; a request without a key id counts against none."""
    for recipe in RECIPES[api]:
        request = built(recipe, next(key for key, op in OPERATIONS.items() if op.api == api))
        under_key = "KEYID" in (request.header("Authorization") or "") + request.target
        failing = not recipe.accepted and "of another" not in recipe.name
        assert recipe.counts_as_failure == (under_key and failing), recipe.name


def key_of(request: Request) -> str:
    text = unquote(request.target) + " " + (request.header("Authorization") or "")
    found = re.search(r"(?:q-ak=|Access=)([^&, ]+)", text)
    return found[1] if found else ""


def longest_rows(sent: list[tuple[Request, Response]], known: dict[str, dict[str, str]]) -> Counter[str]:
    """Return the most bad signatures in a row under each real key, as the independent verifier sees them."""
    longest: Counter[str] = Counter()
    row: defaultdict[str, int] = defaultdict(int)
    for request, _ in sent:
        keys = known.get(key := key_of(request))
        if keys is None:
            continue
        token = next((request.header(name) for name in TOKEN_HEADERS if request.header(name)), None)
        try:
            verify(request, keys, keys["now"])  # type: ignore[arg-type]
            bad = token != keys.get("security_token")
        except reference.RefusedError:
            bad = True
        row[key] = row[key] + 1 if bad else 0
        longest[key] = max(longest[key], row[key])
    return longest


@pytest.mark.parametrize("api", RECIPES)
def test_no_key_ever_sees_more_than_three_bad_signatures_in_a_row(
    api: ApiName, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[Request, Response]] = []
    known: dict[str, dict[str, str]] = {}
    send = Wire.send

    def recording(wire: Wire, request: Request) -> Response:
        response = send(wire, request)
        if "/provider-states" not in request.target:
            sent.append((request, response))
        elif request.target.endswith("/credentials"):
            learn(json.loads(response.body))
        return response

    def learn(given: dict[str, str]) -> None:
        if key := given.get("secret_id") or given.get("access_key"):
            known[key] = given

    monkeypatch.setattr(Wire, "send", recording)
    clock = 1_800_000_000.0
    with run_embedded([api], clock=lambda: clock) as server:
        monkeypatch.setattr("time.time", lambda: clock)
        learn(server.announcement["apis"][api]["credentials"])
        run = Run(load_catalogue(), layers=["table", "model"])
        assert run.verify(announced_targets(server.announcement)) == 0
    for keys in known.values():
        keys["now"] = clock  # type: ignore[assignment]
    longest = longest_rows(sent, known)

    assert max(longest.values()) == MAX_FAILURES_IN_A_ROW == 3
    locked = [response for _, response in sent if b"lock" in response.body.lower()]
    assert locked == []


def test_good_requests_come_between_failures_and_reset_the_count() -> None:
    with FakeTarget() as fake:
        session = fake.session()
        operation = APIS["otc-dli"].operations["cancelSqlJob"]
        probe = session.probe(operation, "table", "case")
        recipe = next(r for r in DLI_RECIPES if r.name == "wrong secret")
        draft = probe.request(probe.own_parameters("j"))
        for _ in range(10):
            probe.call(draft, recipe)
        session.target.close()
        good = [seen for seen in fake.seen if "/jobs/j" not in seen.target]
        # Before the fourth, the seventh and the tenth.
        assert [fake.seen.index(seen) for seen in good] == [3, 7, 11]


def test_where_no_good_request_can_be_made_the_key_is_renewed() -> None:
    kinds: list[str] = []
    with FakeTarget() as fake:
        session = fake.session()
        target = session.target
        target._abilities = {"operations": {}, "credentials": ("expired-temporary",)}
        assert target.states is not None
        target.states.credentials = lambda api, kind: kinds.append(kind) or Keys(f"K{len(kinds)}", "s", "t")  # type: ignore[func-returns-value,method-assign]
        probe = session.probe(APIS["otc-dli"].operations["cancelSqlJob"], "table", "case")
        recipe = next(r for r in DLI_RECIPES if r.name == "expired temporary key")
        draft = probe.request(probe.own_parameters("j"))
        used = [key_of(probe.call(draft, recipe).request) for _ in range(7)]
        target.close()

    assert used == ["K1"] * 3 + ["K2"] * 3 + ["K3"]


def test_a_target_that_is_silent_is_lost_after_a_few_requests() -> None:
    with Listener(hostile.hang) as listener:
        target = Target(APIS["otc-dli"], listener.url, KEYS, timeout=0.05)
        session = Session(target, load_catalogue())
        probe = session.probe(APIS["otc-dli"].operations["cancelSqlJob"], "table", "case")
        request = probe.request(probe.own_parameters("j"))
        for _ in range(4):
            with pytest.raises(NoAnswerError):
                probe.send(request)
        with pytest.raises(TargetLostError, match="5 requests in a row were not answered in time"):
            probe.send(request)
        target.close()

    assert [v.requirement for v in session.outcome.violations] == ["no-server-fault"] * 4
    assert session.outcome.requests == 5


def test_a_target_that_closes_instead_of_answering_is_not_lost() -> None:
    with Listener(hostile.close_at_once) as listener:
        target = Target(APIS["otc-dli"], listener.url, KEYS)
        session = Session(target, load_catalogue())
        probe = session.probe(APIS["otc-dli"].operations["cancelSqlJob"], "table", "case")
        for _ in range(9):
            with pytest.raises(NoAnswerError):
                probe.send(probe.request(probe.own_parameters("j")))
        target.close()

    assert len(session.outcome.violations) == 9


def test_a_session_without_any_usable_credential_says_why() -> None:
    session = Session(Target(APIS["otc-dli"], "http://127.0.0.1:1", Keys()), load_catalogue())
    with pytest.raises(Exception, match="no credential that should be accepted: no provider states given"):
        session.default_recipe()
