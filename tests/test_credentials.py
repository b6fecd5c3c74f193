"""Credentials: checked when made, and silent about their secrets ever after."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from calloff import AccessKey, IamPassword, InvalidInputError, TemporaryKey, Token

MAKERS: dict[str, Callable[[Any], object]] = {
    "access key id": lambda value: AccessKey(value, "secret"),
    "access key secret": lambda value: AccessKey("id", value),
    "temporary key id": lambda value: TemporaryKey(value, "secret", "token"),
    "temporary key secret": lambda value: TemporaryKey("id", value, "token"),
    "temporary key token": lambda value: TemporaryKey("id", "secret", value),
    "token": Token,
}
USER_MAKERS: dict[str, Callable[[Any], object]] = {
    "user": lambda value: IamPassword(value, "password", "domain"),
    "password": lambda value: IamPassword("user", value, "domain"),
    "domain": lambda value: IamPassword("user", "password", value),
    "project name": lambda value: IamPassword("user", "password", "domain", project_name=value),
}
WHOLE: list[object] = [
    AccessKey("AKIDEXAMPLE", "planted"),
    TemporaryKey("AKIDEXAMPLE", "planted", "planted-token"),
    Token("planted"),
    IamPassword("user", "planted", "domain"),
]


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize(
    "value",
    [
        *("", " planted", "planted ", "planted\n", "plan ted", "plan\tted", "planted\x00", "pl\xe4nted"),
        *("planted\ud800", "planted\u0661", "\x7fplanted", "planted" * 10_000, None, b"planted", 5),
    ],
)
def test_what_no_header_can_carry_is_refused_and_not_quoted(
    make: Callable[[Any], object], value: Any
) -> None:
    with pytest.raises(InvalidInputError, match="must") as caught:
        make(value)
    assert "nted" not in str(caught.value)


@pytest.mark.parametrize("end", ["1768469400", "soon", float("nan"), True, datetime(2026, 1, 15, tzinfo=UTC)])
def test_an_end_that_is_no_moment_is_refused(end: Any) -> None:
    with pytest.raises(InvalidInputError, match="Unix seconds"):
        TemporaryKey("id", "secret", "token", expires_at=end)


@pytest.mark.parametrize("make", USER_MAKERS.values(), ids=USER_MAKERS)
@pytest.mark.parametrize(
    "value", ["planted\n", "planted\x00", "planted\x7f", "planted\ud800", None, b"planted", 5]
)
def test_what_no_user_can_have_is_refused_and_not_quoted(make: Callable[[Any], object], value: Any) -> None:
    with pytest.raises(InvalidInputError, match="must") as caught:
        make(value)
    assert "nted" not in str(caught.value)


@pytest.mark.parametrize("name", ["user", "password", "domain"])
def test_a_user_needs_all_three(name: str) -> None:
    with pytest.raises(InvalidInputError, match="is empty"):
        USER_MAKERS[name]("")


@pytest.mark.parametrize("value", ["a&q-ak=b", "a,b"])
@pytest.mark.parametrize("name", ["access key id", "temporary key id"])
def test_an_id_that_would_break_the_authorization_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError, match="'&' nor ','"):
        MAKERS[name](value)


@pytest.mark.parametrize("credential", WHOLE, ids=lambda value: type(value).__name__)
def test_no_text_of_a_credential_holds_its_secret(credential: object) -> None:
    for text in (repr(credential), str(credential), f"{credential}", f"{[credential]}", "%s" % credential):  # noqa: UP031
        assert "planted" not in text
        assert type(credential).__name__ in text


@pytest.mark.parametrize("credential", WHOLE, ids=lambda value: type(value).__name__)
def test_a_credential_is_neither_pickled_nor_written_as_json(credential: object) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="holds a secret"):
            pickle.dumps(credential, protocol)
    with pytest.raises(TypeError):
        json.dumps(credential)


@pytest.mark.parametrize("credential", WHOLE, ids=lambda value: type(value).__name__)
def test_a_copy_is_the_credential_itself(credential: object) -> None:
    assert copy.copy(credential) is credential
    assert copy.deepcopy({"a": credential})["a"] is credential


@pytest.mark.parametrize("credential", WHOLE, ids=lambda value: type(value).__name__)
def test_a_credential_cannot_be_changed(credential: object) -> None:
    name = next(iter(credential.__dataclass_fields__))  # type: ignore[attr-defined]
    with pytest.raises(AttributeError):
        setattr(credential, name, "other")
