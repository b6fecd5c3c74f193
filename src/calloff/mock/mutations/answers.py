"""Ways to bend an answer that the correct server wrote."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING, Any

from calloff.mock.pipeline import Answer, Case, Refusal, signature_matches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from calloff.mock.mutations.place import Bend, Change, Place
    from calloff.mock.pipeline import Exchange, Steps


def finishing(change: Change) -> Bend:
    """Change every answer after it is complete."""

    def bend(steps: Steps, _place: Place) -> Steps:
        return replace(steps, finish=lambda exchange, answer: change(steps.finish(exchange, answer)))

    return bend


def refusing(change: Change, *cases: Case) -> Bend:
    """Change the refusals for the reasons given (all, where none are)."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def refused(exchange: Exchange, case: Case) -> Answer:
            answer = steps.refused(exchange, case)
            return answer if (cases and case not in cases) or answer.status < 400 else change(answer)

        return replace(steps, refused=refused)

    return bend


def accepting(change: Change) -> Bend:
    """Change the answer to an accepted cancel."""

    def bend(steps: Steps, _place: Place) -> Steps:
        return replace(steps, accepted=lambda exchange: change(steps.accepted(exchange)))

    return bend


def recast(case: Case, to: Case) -> Bend:
    """Answer one refusal with the words of another."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def refused(exchange: Exchange, met: Case) -> Answer:
            return steps.refused(exchange, to if met is case else met)

        return replace(steps, refused=refused)

    return bend


def status(number: int) -> Change:
    """Send another status."""

    def change(answer: Answer) -> Answer:
        answer.status = number
        return answer

    return change


def header(name: bytes, value: bytes | None) -> Change:
    """Send another value of a header, or leave the header out."""

    def change(answer: Answer) -> Answer:
        answer.headers = [(key, old) for key, old in answer.headers if key != name]
        if value is not None:
            answer.headers.append((name, value))
        return answer

    return change


def body(change: Callable[[bytes], bytes]) -> Change:
    """Send another body, where there is one."""

    def changed(answer: Answer) -> Answer:
        if answer.body:
            answer.body = change(answer.body)
        return answer

    return changed


def members(change: Callable[[dict[str, Any]], object]) -> Change:
    """Send other members of a JSON object; ``change`` gives the new object or alters the one it gets."""

    def changed(content: bytes) -> bytes:
        found_members = json.loads(content)
        result = change(found_members)
        return json.dumps(result if isinstance(result, dict) else found_members).encode()

    return body(changed)


def quota_used_up(answer: Answer) -> Answer:
    """Say of another method what is meant for a quota."""
    number = substituting(rb"\.0101", b".0501")
    return body(number)(status(405)(answer))


def unlisted(number: int) -> Change:
    """Send a status and a code that no table of the vendor lists."""
    codes = substituting(rb'(<Code>|"error_code":")[^<"]*', rb"\1Unlisted")
    return lambda answer: body(codes)(status(number)(answer))


def with_xml_body(answer: Answer) -> Answer:
    """Say something where nothing is to be said."""
    answer.body = b"<Response><State>Cancel</State></Response>"
    return header(b"content-type", b"application/xml")(answer)


def substituting(pattern: bytes, by: bytes) -> Callable[[bytes], bytes]:
    """Replace what a pattern finds in a body."""
    return lambda content: re.sub(pattern, by, content)


def json_error(answer: Answer) -> Answer:
    """Say an XML error in JSON."""
    texts = {name.decode(): text.decode() for name, text in re.findall(rb"<(\w+)>([^<]+)</", answer.body)}
    answer.body = json.dumps(texts).encode()
    return header(b"content-type", b"application/json")(answer)


def without(member: str) -> Callable[[dict[str, Any]], object]:
    """Leave a member out of an object."""
    return lambda members: {name: value for name, value in members.items() if name != member}


def renamed(names: Mapping[str, str]) -> Callable[[dict[str, Any]], object]:
    """Give members of an object other names."""
    return lambda members: {names.get(name, name): value for name, value in members.items()}


def having(**changes: Any) -> Callable[[dict[str, Any]], object]:
    """Give members of an object other values, or add them."""
    return lambda members: {**members, **changes}


def short_request_id(members: dict[str, Any]) -> dict[str, Any]:
    """Shorten request_id, where there is one."""
    return {name: value[:8] if name == "request_id" else value for name, value in members.items()}


def content(text: bytes, media_type: bytes) -> Change:
    """Send another body."""

    def change(answer: Answer) -> Answer:
        answer.body = text
        return header(b"content-type", media_type)(answer)

    return change


def both(*changes: Change) -> Change:
    """Change an answer in several ways."""

    def changed(answer: Answer) -> Answer:
        for change in changes:
            answer = change(answer)
        return answer

    return changed


def telling(tell: Callable[[Steps, Exchange, Case | None], str]) -> Bend:
    """Say more in the message of a refusal: what ``tell`` gives."""

    def bend(steps: Steps, _place: Place) -> Steps:
        def refused(exchange: Exchange, case: Case) -> Answer:
            answer = steps.refused(exchange, case)
            more = tell(steps, exchange, case)
            return body(_with_message(more))(answer) if more and answer.status >= 400 else answer

        return replace(steps, refused=refused)

    return bend


def _with_message(more: str) -> Callable[[bytes], bytes]:
    def changed(written: bytes) -> bytes:
        if written.startswith(b"{"):
            members = json.loads(written)
            return json.dumps(members | {"error_msg": f"{members['error_msg']} {more}"}).encode()
        return written.replace(b"</Message>", f" {escape(more)}</Message>".encode())

    return changed


def credential_of(_steps: Steps, exchange: Exchange, _case: Case | None) -> str:
    """Give the credential as it came."""
    given = exchange.all(b"authorization") + exchange.all(b"x-auth-token")
    return b" ".join(given).decode("latin-1")


def right_signature(steps: Steps, exchange: Exchange, case: Case | None) -> str:
    """Give the signature that would have been right."""
    if case is not Case.AUTH_WRONG_SIGNATURE:
        return ""
    inner = steps.signature
    claim = inner.read(exchange)
    found: list[str] = []

    def see(expected: str, _given: str) -> bool:
        found.append(expected)
        return False

    with suppress(Refusal):  # a signed header did not arrive: there is nothing to compute
        signature_matches(replace(inner, equal=see), exchange, claim, inner.find_key(exchange, claim))
    return " ".join(["expected", *found]) if found else ""


_TRACE = """Traceback (most recent call last):
  File "/srv/jobs/store.py", line 41, in find
    return self._jobs[job_id]
KeyError"""


def stack_trace(_steps: Steps, _exchange: Exchange, case: Case | None) -> str:
    """Give the trace of a look-up that failed."""
    return _TRACE if case is Case.UNKNOWN_JOB else ""


def id_in_header(steps: Steps, _place: Place) -> Steps:
    """Name the job in a header, line breaks and all."""

    def finish(exchange: Exchange, answer: Answer) -> Answer:
        answer = steps.finish(exchange, answer)
        first, *further = f"x-job-id: {exchange.job_id}".split("\r\n")
        for line in (first, *further):
            name, _, value = line.partition(":")
            answer.headers.append((name.lower().encode(), _visible(value)))
        return answer

    return replace(steps, finish=finish)


def _visible(value: str) -> bytes:
    return re.sub("[^ -~]", "?", value).strip().encode()
