"""The calculator on the page about signing: typed into and read, held against every vector of ``spec/signing/``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from pages import CHROMIUM, PAGES, ROOT, Opened
from playwright.sync_api import sync_playwright

if not PAGES:
    pytest.skip("the site is not built: nox -s docs builds it", allow_module_level=True)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium found to calculate with"
)
Vector = dict[str, Any]
VECTORS: list[tuple[str, Vector]] = [
    (path.stem, case)
    for path in sorted((ROOT / "spec" / "signing").glob("*.json"))
    for case in json.loads(path.read_text("utf-8")).get("cases", [])
]
SIGNED = [(algorithm, case) for algorithm, case in VECTORS if "not_for_signers" not in case]
# A signature of another time is right in all but its time, which a signer does not judge.
REFUSED = [
    (algorithm, case)
    for algorithm, case in VECTORS
    if case["verdict"] == "must-refuse" and not case["reason"].startswith("time:")
]
TYPE = """(fields) => {
  const algorithm = document.querySelector("#algorithm");
  algorithm.value = fields.algorithm;
  algorithm.dispatchEvent(new Event("input", { bubbles: true }));
  for (const field of document.querySelectorAll("[data-field]")) field.value = fields[field.dataset.field] ?? "";
  document.querySelector("#yours").value = fields.yours ?? "";
  document.querySelector("#target").dispatchEvent(new Event("input", { bubbles: true }));
  const shown = [...document.querySelectorAll("[data-stage]")];
  return {
    stages: Object.fromEntries(shown.map((one) => [one.dataset.stage, one.textContent])),
    message: document.querySelector("#calculator-message").textContent,
    verdict: document.querySelector("#verdict").textContent,
  };
}"""


@pytest.fixture(scope="module")
def calculator() -> Iterator[Opened]:
    assert CHROMIUM is not None, "CI must try the calculator: install Chromium"
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        opened = Opened(browser, "signing.html")
        opened.page.locator("#calculator-form").wait_for()
        yield opened
        assert (opened.complaints, opened.outside()) == ([], [])
        assert opened.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [
            0,
            0,
            "",
        ]
        browser.close()


def typed(algorithm: str, case: Vector, message: str, keys: dict[str, str], **more: str) -> dict[str, str]:
    """Return the fields of the form that hold *message* of a vector, signed with *keys*."""
    request, time = case[message], case["time"]
    return {
        "algorithm": algorithm,
        "method": request["method"],
        "target": request["target"],
        "headers": "\n".join(f"{name}: {value}" for name, value in request["headers"]),
        "body": request["body"],
        "key_id": keys.get("secret_id") or keys["access_key"],
        "secret_key": keys.get("secret_key", ""),
        "sign_key": keys.get("sign_key", ""),
        "start": str(time.get("start", "")),
        "end": str(time.get("end", "")),
        "scope": case.get("scope", ""),
        "signed_headers": ";".join(case["signed_headers"]),
        "signed_parameters": ";".join(case.get("signed_parameters", ())),
        **more,
    }


def shown(calculator: Opened, fields: dict[str, str]) -> dict[str, Any]:
    return calculator.page.evaluate(TYPE, fields)  # type: ignore[no-any-return]


def named(vectors: list[tuple[str, Vector]]) -> list[str]:
    return [f"{algorithm}-{case['name']}" for algorithm, case in vectors]


@pytest.mark.parametrize(("algorithm", "case"), SIGNED, ids=named(SIGNED))
def test_every_stage_is_that_of_the_vector(calculator: Opened, algorithm: str, case: Vector) -> None:
    keys = case["sender_credentials"] if "sender_credentials" in case else case["credentials"]

    answer = shown(calculator, typed(algorithm, case, "request", keys))

    assert answer == {
        "stages": {**case["stages"], "authorization": case["authorization"]},
        "message": "",
        "verdict": "",
    }


@pytest.mark.parametrize(("algorithm", "case"), REFUSED, ids=named(REFUSED))
def test_what_must_be_refused_is_nothing_that_it_writes(
    calculator: Opened, algorithm: str, case: Vector
) -> None:
    arrives = case["arrives"]
    headers = [value for name, value in arrives["headers"] if name.lower() == "authorization"]

    answer = shown(calculator, typed(algorithm, case, "arrives", case["credentials"]))

    if answer["stages"]:
        presented = headers[0] if headers else unquote(arrives["target"])
        assert not presented.endswith(answer["stages"]["authorization"])
    else:
        assert answer["message"].startswith("Cannot be signed: ")


def test_it_says_where_another_signer_goes_astray(calculator: Opened) -> None:
    algorithm, case = next(one for one in SIGNED if one[1]["name"] == "otc-cancel-sql-job")
    stage = case["stages"]["canonical_request"]
    fields = typed(algorithm, case, "request", case["credentials"])

    agreeing = shown(calculator, {**fields, "yours": stage})["verdict"]
    astray = shown(calculator, {**fields, "yours": stage.replace("host:", "Host:", 1)})["verdict"]

    assert agreeing == "Yours agrees with canonical_request."
    assert astray.startswith("Yours is most like canonical_request: it differs from line 4, character 1 on.")


def test_it_says_why_it_signs_nothing(calculator: Opened) -> None:
    algorithm, case = next(one for one in SIGNED if one[1]["name"] == "otc-cancel-sql-job")
    fields = typed(algorithm, case, "request", case["credentials"], headers="no header")

    answer = shown(calculator, fields)

    assert answer["stages"] == {}
    assert answer["message"] == 'Cannot be signed: a header is written "Name: value", not "no header".'
