"""The calculator on the page about signing: typed into and read, held against every vector of ``spec/signing/``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from pages import CHROMIUM, PAGES, ROOT, Opened
from playwright.sync_api import BrowserContext

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
def calculator(context: BrowserContext) -> Iterator[Opened]:
    opened = Opened(context, "signing.html")
    opened.page.locator("#calculator-form").wait_for()
    address = opened.page.url
    yield opened
    assert (opened.complaints, opened.outside()) == ([], [])
    kept = opened.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]")
    assert (opened.page.url, kept) == (address, [0, 0, ""])
    opened.page.close()


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


def of_the_vector(name: str, **more: str) -> dict[str, str]:
    """Return the fields of the form that hold a vector, some of them changed."""
    algorithm, case = next(one for one in SIGNED if one[1]["name"] == name)
    return typed(algorithm, case, "request", case["credentials"], **more)


@pytest.mark.parametrize(
    ("vector", "changed", "said"),
    [
        (
            "otc-cancel-sql-job",
            {"headers": "no header"},
            'a header is written "Name: value", not "no header"',
        ),
        ("otc-cancel-sql-job", {"method": ""}, "the method is one word, as PUT"),
        ("cancel-ai-job", {"method": "PUT /"}, "the method is one word, as PUT"),
        (
            "cancel-ai-job",
            {"target": "https://c.example/ai_jobs/a?cancel"},
            'path and query begin with "/"; scheme and host are no part of them',
        ),
        (
            "cancel-ai-job",
            {"target": "/ai_jobs/%ZZ?cancel"},
            'a "%" in path or query begins no character of UTF-8',
        ),
        ("cancel-ai-job", {"start": "soon"}, "start is a time in whole Unix seconds"),
        ("cancel-ai-job", {"sign_key": "A" * 40}, "a SignKey is 40 hexadecimal digits in lower case"),
    ],
)
def test_it_says_why_it_signs_nothing(
    calculator: Opened, vector: str, changed: dict[str, str], said: str
) -> None:
    answer = shown(calculator, of_the_vector(vector, **changed))

    assert answer["stages"] == {}
    assert answer["message"] == f"Cannot be signed: {said}."


def test_half_a_character_is_not_signed_as_another(calculator: Opened) -> None:
    fields = of_the_vector("otc-cancel-sql-job")

    # A lone surrogate is no text that this language can send, so it is made in the page.
    answer = calculator.page.evaluate(
        f"(fields) => ({TYPE})({{ ...fields, body: '\\ud800' }})",
        fields,
    )

    assert answer["stages"] == {}
    assert answer["message"] == "Cannot be signed: body holds half of a character."


def test_what_is_typed_is_shown_as_text_and_never_run(calculator: Opened) -> None:
    markup = "<img src=x onerror=document.title='run'><b>"
    fields = of_the_vector("cancel-ai-job", headers=f"Host: {markup}", key_id="<b>", yours=markup)

    answer = shown(calculator, fields)

    assert "q-ak=<b>&" in answer["stages"]["authorization"]
    assert calculator.page.locator("#calculator-form :is(img, b)").count() == 0
    assert calculator.page.title() != "run"


def test_a_text_of_a_million_characters_is_signed(calculator: Opened) -> None:
    path = f"/{'x' * 1_000_000}"

    answer = shown(calculator, of_the_vector("cancel-ai-job", target=f"{path}?cancel"))

    assert answer["stages"]["http_string"].startswith(f"put\n{path}\ncancel=\n")


def test_enter_sends_the_form_nowhere(calculator: Opened) -> None:
    address = calculator.page.url

    calculator.page.locator("#target").press("Enter")

    assert calculator.page.url == address


@pytest.mark.parametrize("check", ["lint", "format"])
def test_it_is_written_as_its_linter_and_formatter_want(check: str) -> None:
    npm = shutil.which("npm") or pytest.fail("the linter needs npm")
    command = [npm, "run", "--silent", check]
    ran = subprocess.run(command, cwd=ROOT / "docs" / "site", capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout + ran.stderr
