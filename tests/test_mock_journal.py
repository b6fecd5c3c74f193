"""The journal: what is kept of a request, what is masked, and what is forgotten."""

from __future__ import annotations

import pytest

from calloff.mock.journal import Filter, Journal, masked_query
from calloff.mock.pipeline import Exchange, Headers


def exchange(path: bytes = b"/", query: bytes = b"", headers: Headers | None = None) -> Exchange:
    made = Exchange("GET", path, query, headers or [], 5.0)
    made.request_id = "id"
    return made


@pytest.mark.parametrize(
    ("query", "masked"),
    [
        (b"cancel=yes", b"cancel=***"),
        (b"Cancel&cancel=", b"Cancel&cancel="),
        (b"q-ak=word&q-signature=word", b"q-ak=***&q-signature=***"),
        (b"sign=q-ak%3Dword", b"sign=***"),
        (b"word", b"***"),
        (b"word==", b"***=***"),
        (b"cancel&&x-cos-security-token=a=b", b"cancel&&x-cos-security-token=***"),
        (b"w\xf6rd=1", b"***=***"),
    ],
)
def test_values_and_unknown_names_of_a_query_are_masked(query: bytes, masked: bytes) -> None:
    assert masked_query(query) == masked


def test_long_parts_of_a_path_are_masked() -> None:
    journal = Journal()
    journal.record("otc-dli", exchange(b"/a/" + b"t" * 65 + b"/" + b"i" * 64), 404, 0.0)
    assert journal.entries()[0].target == "/a/***/" + "i" * 64


def test_only_the_newest_are_kept_and_all_are_counted() -> None:
    journal = Journal(3)
    for status in (200, 201, 202, 203, 204):
        journal.record("otc-dli", exchange(), status, 0.0)
    assert [(entry.number, entry.status) for entry in journal.entries()] == [(5, 204), (4, 203), (3, 202)]
    assert [entry.number for entry in journal.entries(limit=1)] == [5]
    assert journal.total == 5
    journal.clear()
    assert (journal.entries(), journal.total) == ([], 0)


def test_what_is_kept_of_a_request_is_bounded() -> None:
    journal = Journal()
    signed = b"SDK-HMAC-SHA256 SignedHeaders=" + b"h" * 9000 + b", Signature=s"
    headers = [
        *((b"n" * 9000, b"x"), (b"user-agent", b"u" * 9000)),
        *((b"content-type", b"t" * 9000), (b"authorization", signed)),
    ]
    journal.record("tencent-ci", exchange(b"/a" * 9000, b"cancel&" * 9000, headers), 400, 0.0)
    [entry] = journal.entries()
    assert len(entry.target) < 5000
    assert sum(len(name) for name in entry.headers) < 1100
    assert len(entry.user_agent) < 500
    assert len(entry.content_type) < 500
    assert entry.signed_headers == ()


@pytest.mark.parametrize(
    ("authorization", "headers", "parameters"),
    [
        (
            b"SDK-HMAC-SHA256 Access=word, SignedHeaders=host;x-sdk-date, Signature=word",
            ("host", "x-sdk-date"),
            (),
        ),
        (
            b"q-sign-algorithm=sha1&q-ak=word&q-header-list=content-length;host&q-url-param-list=cancel&q-signature=word",
            ("content-length", "host"),
            ("cancel",),
        ),
        (b"q-ak=word&q-header-list=&q-url-param-list=&q-signature=word", (), ()),
        (b"Bearer word", (), ()),
        (b"SDK-HMAC-SHA256 SignedHeaders=SECRET WORD", (), ()),
    ],
)
def test_what_was_signed_is_kept_by_name(
    authorization: bytes, headers: tuple[str, ...], parameters: tuple[str, ...]
) -> None:
    journal = Journal()
    sent = [(b"content-type", b"application/json"), (b"authorization", authorization)]
    journal.record("otc-dli", exchange(headers=sent), 200, 0.0)
    [entry] = journal.entries()
    assert (entry.signed_headers, entry.signed_parameters) == (headers, parameters)
    assert entry.content_type == "application/json"
    assert "word" not in repr(entry).lower()


def test_entries_can_be_found() -> None:
    journal = Journal()
    agents = (b"calloff-verify/1 case/otc-dli/cancelSqlJob/table/[a]", b"other", b"case/b")
    for api, agent, status in zip(("otc-dli", "tencent-ci", "otc-dli"), agents, (200, 404, 404), strict=True):
        journal.record(api, exchange(headers=[(b"user-agent", agent)]), status, 0.0)

    def numbers(wanted: Filter) -> list[int]:
        return [entry.number for entry in journal.entries(wanted)]

    assert numbers(Filter(api="otc-*")) == [3, 1]
    assert numbers(Filter(status=404)) == [3, 2]
    assert numbers(Filter(api="otc-dli", status=404)) == [3]
    assert numbers(Filter(case="otc-dli/cancelSqlJob/table/[a]")) == [1]
    assert numbers(Filter(case="b")) == [3]
    assert numbers(Filter(case="")) == [2]
    assert numbers(Filter(operation="cancel*")) == []
