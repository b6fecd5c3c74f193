"""Ways to bend an answer that the correct server wrote."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from calloff.mock.pipeline import Answer, Case

if TYPE_CHECKING:
    from collections.abc import Callable

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
