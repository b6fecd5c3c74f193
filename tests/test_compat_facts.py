"""What a document promises in words that oasdiff does not read may not be taken back silently either."""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
facts = importlib.import_module("compat_facts")

DOCUMENT = yaml.safe_load("""
servers:
  - url: https://{region}.example.org
    variables: {region: {default: none, x-pattern: "^[a-z]+$"}}
x-companion-headers:
  - {name: Host, required: always}
  - {name: Content-Type, required: conditional}
x-error-codes:
  - {schema: Refused, codes: [{code: A.1, status: 400}, {code: A.2, status: 403}]}
paths:
  /jobs/{id}:
    parameters: []
    delete:
      operationId: cancelJob
      x-permissions: [{action: "jobs:cancel"}]
      x-job-states:
        - {state: RUNNING, final: false, cancellable: true, cancelled: false}
        - {state: GONE, final: true, cancellable: false, cancelled: true}
components:
  responses:
    Accepted: {links: {readState: {operationRef: "other.yaml#/paths/a"}}}
  schemas:
    Refused: {xml: {name: Error}, properties: {parts: {items: {xml: {name: Part}}}}}
  securitySchemes:
    Signed:
      x-companion-headers: [{name: X-Date, required: always}]
      x-companion-query-parameters: [{name: q-time}]
""")
Change = Callable[[dict[str, Any]], object]


def changed(change: Change) -> dict[str, Any]:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    return document  # type: ignore[no-any-return]


def signed(document: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["securitySchemes"]["Signed"]  # type: ignore[no-any-return]


def states(document: dict[str, Any]) -> list[dict[str, Any]]:
    return document["paths"]["/jobs/{id}"]["delete"]["x-job-states"]  # type: ignore[no-any-return]


def schema(document: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["schemas"]["Refused"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda it: it["servers"][0].update(url="https://example.net", variables={}),
            [
                "the server https://{region}.example.org is gone",
                "the pattern of {region} in https://{region}.example.org is gone",
            ],
        ),
        (
            lambda it: it["servers"][0]["variables"]["region"].update({"x-pattern": "^[a-c]+$"}),
            ["the pattern of {region} in https://{region}.example.org was '^[a-z]+$', is '^[a-c]+$'"],
        ),
        (lambda it: states(it)[0].update(state="WORKING"), ["the state RUNNING of cancelJob is gone"]),
        (
            lambda it: it["paths"]["/jobs/{id}"]["delete"].update(
                {"x-permissions": [{"action": "jobs:stop"}]}
            ),
            ["the permission jobs:cancel of cancelJob is gone"],
        ),
        (
            lambda it: states(it)[0].update(cancellable=False),
            ["the state RUNNING of cancelJob was 'cancellable', is ''"],
        ),
        (
            lambda it: it["x-error-codes"][0]["codes"][0].update(code="A.3"),
            ["the code A.1 with 400 in Refused is gone"],
        ),
        (
            lambda it: it["x-error-codes"][0]["codes"][0].update(status=404),
            ["the code A.1 with 400 in Refused is gone"],
        ),
        (
            lambda it: signed(it)["x-companion-query-parameters"][0].update(name="q-when"),
            ["the query parameter q-time of Signed is gone"],
        ),
        (
            lambda it: signed(it)["x-companion-headers"][0].update(name="X-Time"),
            ["the header X-Date of Signed is gone", "the header X-Time of Signed was unknown, is always"],
        ),
        (
            lambda it: it["x-companion-headers"][1].update(required="always"),
            ["the header Content-Type was conditional, is always"],
        ),
        (
            lambda it: it["x-companion-headers"][1].update(required="never"),
            ["the header Content-Type was conditional, is never"],
        ),
        (
            lambda it: it["components"]["responses"]["Accepted"]["links"]["readState"].update(
                operationRef="other.yaml#/paths/b"
            ),
            ["the link readState of Accepted was 'other.yaml#/paths/a', is 'other.yaml#/paths/b'"],
        ),
        (
            lambda it: schema(it)["xml"].update(name="Fault"),
            ["the form in XML of Refused was 'name Error', is 'name Fault'"],
        ),
        (
            lambda it: schema(it)["properties"]["parts"]["items"]["xml"].update(attribute=True),
            [
                "the form in XML of Refused/properties/parts/items was 'name Part', is 'attribute True, name Part'"
            ],
        ),
    ],
    ids=[
        *(
            "server",
            "server pattern",
            "state",
            "permission",
            "flag of a state",
            "code",
            "status of a code",
            "query parameter",
        ),
        *("header name", "header demanded", "header forbidden", "link", "root in XML", "attribute in XML"),
    ],
)
def test_a_promise_that_is_taken_back_is_told(change: Change, told: list[str]) -> None:
    assert facts.broken(DOCUMENT, changed(change)) == told


@pytest.mark.parametrize(
    "change",
    [
        lambda _it: None,
        lambda it: it["servers"].append({"url": "https://example.net"}),
        lambda it: states(it).append(
            {"state": "PAUSED", "final": False, "cancellable": True, "cancelled": False}
        ),
        lambda it: it["x-error-codes"][0]["codes"].append({"code": "A.9", "status": 500}),
        lambda it: it["x-companion-headers"][0].update(required="optional"),
        lambda it: it["x-companion-headers"].append({"name": "X-Language", "required": "optional"}),
    ],
    ids=["same", "server", "state", "code", "header not demanded", "optional header"],
)
def test_a_promise_more_breaks_nobody(change: Change) -> None:
    assert facts.broken(DOCUMENT, changed(change)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "spec").glob("*.openapi.yaml")), ids=lambda path: path.stem)
def test_every_document_can_be_read(path: Path) -> None:
    document = yaml.safe_load(path.read_text("utf-8"))

    assert facts.broken(document, document) == []
