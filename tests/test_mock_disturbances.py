"""Disturbances as data: what can be said, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from calloff.errors import InvalidInputError
from calloff.mock.disturbances import KINDS, Disturbance, Disturbances, from_members, parse_disturbance


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_does_without_parameters(kind: str) -> None:
    disturbance = Disturbance(kind=kind)
    assert disturbance.concerns("otc-dli/cancelSqlJob")
    assert from_members(disturbance.members()) == disturbance == parse_disturbance(kind)


def test_the_defaults_are_those_of_the_gateway() -> None:
    assert Disturbance(kind="throttle").members() == {
        "kind": "throttle",
        "operations": "*",
        "probability": 1.0,
        "rate": 200.0,
        "retry_after": 1,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "latency:seconds=0.05,operations=otc-dli/*",
            {"kind": "latency", "seconds": 0.05, "operations": "otc-dli/*"},
        ),
        (
            "throttle:rate=0,retry-after=7,requests=3",
            {"kind": "throttle", "rate": 0, "retry_after": 7, "requests": 3},
        ),
        ("reset:applied=true,probability=0.5", {"kind": "reset", "applied": True, "probability": 0.5}),
        ("gateway:status=504", {"kind": "gateway", "status": 504}),
        ("content-type:content-type=a/b", {"kind": "content-type", "content_type": "a/b"}),
        ("clock-skew:seconds=-900", {"kind": "clock-skew", "seconds": -900}),
    ],
)
def test_a_disturbance_can_be_written_in_one_word(text: str, expected: dict[str, Any]) -> None:
    assert parse_disturbance(text) == Disturbance(**expected)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"kind": "slow"}, "expected the kind of a disturbance: latency, throttle, .* not 'slow'"),
        ({}, "expected the kind of a disturbance: .* not None"),
        ({"kind": ["latency"]}, r"expected the kind of a disturbance: .* not \['latency'\]"),
        ({"kind": "latency", "second": 1}, "latency takes no second; it takes: operations, .*seconds"),
        ({"kind": "latency", "rate": 1}, "latency takes no rate"),
        ({"kind": "latency", "seconds": -1}, "latency: seconds is 0 to 3600 seconds, not -1"),
        ({"kind": "latency", "seconds": float("nan")}, "seconds is 0 to 3600 seconds, not nan"),
        ({"kind": "latency", "seconds": "1"}, "seconds is 0 to 3600 seconds, not '1'"),
        ({"kind": "latency", "seconds": True}, "seconds is 0 to 3600 seconds, not True"),
        ({"kind": "throttle", "rate": -1}, "rate is 0 or more requests per second, not -1"),
        ({"kind": "throttle", "retry_after": 1.5}, "retry_after is 0 to 3600 seconds, not 1.5"),
        ({"kind": "reset", "requests": 0}, "requests is 1 or more requests, not 0"),
        ({"kind": "reset", "requests": True}, "requests is 1 or more requests, not True"),
        ({"kind": "reset", "probability": 0}, "probability is more than 0, up to 1, not 0"),
        ({"kind": "reset", "probability": 1.01}, "probability is more than 0, up to 1, not 1.01"),
        ({"kind": "reset", "applied": 1}, "applied is true or false, not 1"),
        ({"kind": "reset", "operations": ""}, "operations is a pattern over API/operation, not ''"),
        ({"kind": "reset", "operations": "aws/*"}, "no operation matches 'aws/\\*'; there are: tencent-ci/"),
        ({"kind": "gateway", "status": 500}, "status is 502, 503 or 504, not 500"),
        ({"kind": "status", "status": 404}, "status is 500 to 504, not 404"),
        ({"kind": "status", "status": 504}, "tencent-ci has no form for status 504; it has 500, 501, 503"),
        (
            {"kind": "status", "status": 501, "operations": "otc-dli/*"},
            "otc-dli has no form for status 501; it has 500, 502, 503, 504",
        ),
        ({"kind": "content-type", "content_type": "a\r\nb: c"}, "content_type is visible ASCII"),
        ({"kind": "content-type", "content_type": ""}, "content_type is visible ASCII"),
        ({"kind": "clock-skew", "seconds": 1e99}, "seconds is -315360000 to 315360000 seconds"),
        ({"kind": "clock-skew", "requests": 3}, "clock-skew takes no requests; it takes: seconds"),
        ({"kind": "clock-skew", "operations": "otc-dli/*"}, "clock-skew takes no operations"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(members: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        from_members(members)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"kind": "slow"}, "no disturbance 'slow'; there are: latency, "),
        ({"kind": "clock-skew", "requests": 3}, "clock-skew takes no requests; it takes: seconds"),
        ({"kind": "close", "seconds": 3}, "close takes no seconds; it takes: operations"),
    ],
)
def test_a_mistake_in_python_is_refused_too(members: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Disturbance(**members)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slow", "no disturbance 'slow'; there are: latency, "),
        ("", "no disturbance ''"),
        ("latency:0.5", "latency: expected KEY=VALUE, each key once, not '0.5'"),
        ("latency:seconds=1,", "latency: expected KEY=VALUE, each key once, not ''"),
        ("latency:seconds=1,seconds=2", "each key once, not 'seconds=2'"),
        ("latency:seconds=soon", "latency: seconds is 0 to 3600 seconds, not 'soon'"),
        ("latency:kind=close", "each key once, not 'kind=close'"),
        ("reset:applied=yes", "reset: applied is true or false, not 'yes'"),
        ("reset:requests=1.5", "reset: requests is 1 or more requests, not '1.5'"),
        ("reset:speed=1", "reset takes no speed"),
    ],
)
def test_a_mistake_in_a_word_is_refused_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        parse_disturbance(text)


# ------------------------------------------------------------------------------------------------- in force


def test_nothing_in_force_is_nothing_to_look_at() -> None:
    disturbances = Disturbances()
    assert not disturbances.active
    disturbances.add(Disturbance(kind="clock-skew", seconds=5))
    assert not disturbances.active
    assert disturbances.clock(lambda: 100.0)() == 105.0


def test_clocks_add_up() -> None:
    given = [Disturbance(kind="clock-skew", seconds=60), Disturbance(kind="clock-skew", seconds=-10)]
    assert Disturbances(given).skew == 50.0


def test_a_reset_brings_back_what_was_given_as_it_was() -> None:
    disturbances = Disturbances([Disturbance(kind="reset", requests=1, probability=0.5)], seed=3)

    def draws() -> list[bool]:
        [one] = disturbances.all()
        return [one.strikes("otc-dli", "otc-dli/cancelSqlJob", 0.0) for _ in range(50)]

    first = draws()
    assert first.count(True) == 1
    disturbances.drop_spent()
    assert disturbances.all() == ()
    disturbances.reset()
    assert draws() == first
    disturbances.clear()
    assert disturbances.all() == ()


def test_one_can_be_ended_by_its_number() -> None:
    disturbances = Disturbances()
    first = disturbances.add(Disturbance(kind="reset"))
    second = disturbances.add(Disturbance(kind="close"))
    assert disturbances.remove(first.id)
    assert not disturbances.remove(first.id)
    assert [one.id for one in disturbances.all()] == [second.id]
