"""From options, files, environment and provider states to a target: precedence, refusals, and a vendor's hosts."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from fake_target import OTHER_BUCKET, PROJECT, SECRET_KEY, SECURITY_TOKEN, TOKEN, FakeTarget
from hostile_files import EMPTY, NOT_UTF8, UNREADABLE, forbidden, texts, without_privileges

from calloff.apis import APIS
from calloff.errors import InvalidInputError
from calloff.verify.given import LIVE_RATE, given_target
from calloff.verify.jobs_file import JobsFile
from calloff.verify.target import CannotSupplyError, Keys, Target, TargetError
from calloff.verify.wire import TargetLostError

URL = "http://127.0.0.1:1"
ENVIRONMENT = {"AK": "FROM-OPTION", "SK": SECRET_KEY, "ST": SECURITY_TOKEN, "TK": TOKEN}
OF_CALLOFF = {
    "CALLOFF_ACCESS_KEY": "FROM-ENVIRONMENT",
    "CALLOFF_SECRET_KEY": "secret-of-environment",  # pragma: allowlist secret
    "CALLOFF_PROJECT_ID": "environment0project",
}
REFERENCE = "env:SK"
FILE = f'[otc-dli]\naccess_key = "FROM-FILE"\nsecret_key = "{REFERENCE}"\nproject_id = "file0project"\n'
OPTIONS = {"access_key": "env:AK", "secret_key": REFERENCE}
SQL = APIS["otc-dli"].operations["cancelSqlJob"]


def given(base_url: str = URL, api: str = "otc-dli", **options: Any) -> Target:
    options = {"project_id": PROJECT, "environment": ENVIRONMENT | OF_CALLOFF, **options}
    target = given_target([api], base_url, **options)
    target.close()
    return target


def written(folder: Path, text: str, name: str = "given.toml") -> Path:
    file = folder / name
    file.write_text(text, "utf-8")
    return file


def test_options_go_before_the_file_and_the_file_before_the_environment(tmp_path: Path) -> None:
    file = written(tmp_path, FILE)

    assert given(**OPTIONS, credentials=file, project_id=None).keys == Keys(
        "FROM-OPTION", SECRET_KEY, project_id="file0project"
    )
    assert given(credentials=file, project_id=None).keys == Keys(
        "FROM-FILE", SECRET_KEY, project_id="file0project"
    )
    assert given(project_id=None).keys == Keys(
        "FROM-ENVIRONMENT", "secret-of-environment", project_id="environment0project"
    )
    assert given(credentials=file, project_id="option0project").keys.project_id == "option0project"


def test_no_credential_of_a_later_source_is_mixed_in() -> None:
    target = given(token="env:TK")

    assert target.keys == Keys(token=TOKEN, project_id=PROJECT)


def test_the_environment_goes_before_the_provider_states() -> None:
    with FakeTarget() as fake:
        target = given(fake.url, provider_states=fake.states_url)
        supplied = given(fake.url, provider_states=fake.states_url, environment={}, project_id=None)

    assert target.keys.key_id == "FROM-ENVIRONMENT"
    assert (supplied.keys.key_id, supplied.keys.project_id) == ("KEYID", PROJECT)


def test_a_file_may_name_kinds_only_and_they_are_of_the_same_project(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        '[otc-dli.kinds.token]\ntoken = "env:TK"\n[otc-dli.kinds.other-owner-token]\ntoken = "env:ST"\n',
    )
    target = given(credentials=file, environment=ENVIRONMENT)

    assert target.keys == Keys(token=TOKEN, project_id=PROJECT)
    assert target.credentials("other-owner-token") == Keys(token=SECURITY_TOKEN)
    assert set(target.secrets()) == {TOKEN, SECURITY_TOKEN}
    assert "planted" not in repr(target)


def test_a_kind_that_the_file_names_is_not_asked_of_the_provider_states(tmp_path: Path) -> None:
    file = written(tmp_path, '[otc-dli.kinds.token]\ntoken = "env:ST"\n')
    with FakeTarget() as fake:
        target = given(fake.url, provider_states=fake.states_url, credentials=file)
        assert target.credentials("token").token == SECURITY_TOKEN
        assert target.credentials("temporary").token == ""
        target.close()


def test_given_credentials_cannot_be_renewed(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        f'[otc-dli.kinds.expired-temporary]\naccess_key = "A"\nsecret_key = "{REFERENCE}"\nsecurity_token = "env:ST"\n',
    )
    with pytest.raises(CannotSupplyError, match="given expired-temporary credentials were refused"):
        given(credentials=file).renew("expired-temporary")


def test_jobs_come_from_a_file(tmp_path: Path) -> None:
    target = given(jobs=written(tmp_path, "[otc-dli.cancelSqlJob]\nRUNNING = ['a', 'b']\n"))

    assert isinstance(target.states, JobsFile)
    assert not target.reads_state
    assert target.new_job(SQL, "RUNNING").parameters == {"project_id": PROJECT, "job_id": "a"}
    assert target.new_job(SQL, "RUNNING", spend=False).job_id == "b"
    target.spend(SQL, "b")
    with pytest.raises(CannotSupplyError, match="was used"):
        target.new_job(SQL, "RUNNING")


def test_jobs_of_another_bucket_are_not_wanted_under_the_own_host(tmp_path: Path) -> None:
    text = f"[other-owner.tencent-ci.cancelAiJob]\nhost = '{OTHER_BUCKET}'\nSubmitted = ['a']\n"
    with pytest.raises(InvalidInputError, match="host is your own"):
        given(api="tencent-ci", host=OTHER_BUCKET, jobs=written(tmp_path, text))


@pytest.mark.parametrize(
    "host",
    [
        "b-1.ci.ap-beijing.myqcloud.com",
        "dli.eu-de.otc.t-systems.com",
        "dli.cn-north-4.myhuaweicloud.com",
        "dli.eu-west-101.myhuaweicloud.eu",
        "DLI.EU-DE.OTC.T-SYSTEMS.COM",
        "dli.eu-de.otc.t-systems.com.",
        "dli.eu-de.otc.t-systems.com:8443",
        "myhuaweicloud.com",
        "ci.tencentcloudapi.com",
    ],
)
def test_a_vendors_own_host_is_reached_only_when_that_is_meant(host: str) -> None:
    with pytest.raises(InvalidInputError, match=r"is a vendor's own host, .* --live says that is meant"):
        given(f"https://{host}/gate")
    with pytest.raises(InvalidInputError, match="give --base-url with https"):
        given(f"http://{host}", live=True)
    assert given(f"https://{host}", live=True).pace.rate == LIVE_RATE


@pytest.mark.parametrize(
    "host", ["localhost", "t-systems.com.example.org", "nott-systems.com", "10.0.0.1", "[::1]"]
)
def test_other_hosts_need_no_leave(host: str) -> None:
    target = given(f"http://{host}:8080", host="dli.eu-de.otc.t-systems.com")

    assert (target.authority, target.pace.rate) == ("dli.eu-de.otc.t-systems.com", None)


def test_the_rate_and_the_budgets_are_those_given() -> None:
    pace = given(live=True, rate=3, max_requests=50, max_seconds=60).pace

    assert (pace.rate, pace.max_requests, pace.max_seconds) == (3, 50, 60)


@pytest.fixture(scope="module")
def ca_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(file)
    return file


def test_a_private_authority_is_trusted_alone_and_the_name_still_checked(ca_file: Path) -> None:
    target = given("https://127.0.0.1:1", ca_file=ca_file)

    assert target.tls is not None
    assert len(target.tls.get_ca_certs()) == 1
    assert (target.tls.check_hostname, target.tls.verify_mode) == (True, ssl.CERT_REQUIRED)


def test_the_provider_states_alone_may_speak_tls(ca_file: Path) -> None:
    with pytest.raises(InvalidInputError, match="--ca-file is for https; the URLs given are http"):
        given(ca_file=ca_file)
    assert given(ca_file=ca_file, provider_states="https://127.0.0.1:2/states").states is not None


NO_CERTIFICATE = "holds no certificate in PEM form"


@pytest.mark.parametrize(
    ("words", "make"),
    [
        *UNREADABLE,
        (NO_CERTIFICATE, EMPTY[1]),
        (NO_CERTIFICATE, NOT_UTF8[1]),
        (NO_CERTIFICATE, lambda folder: written(folder, "-----BEGIN CERTIFICATE-----\nplanted\n")),
    ],
)
def test_a_bad_authority_file_is_told_in_one_sentence(
    tmp_path: Path, words: str, make: Callable[[Path], Path]
) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        given("https://127.0.0.1:1", ca_file=make(tmp_path))

    assert str(caught.value).startswith("--ca-file: ")
    assert "\n" not in str(caught.value)


def test_an_authority_file_without_permission_is_told_in_one_sentence(tmp_path: Path) -> None:
    file = forbidden(tmp_path)
    with without_privileges(), pytest.raises(InvalidInputError, match=r"--ca-file: .* Permission denied"):
        given("https://127.0.0.1:1", ca_file=file)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"base_url": "nonsense"}, "--base-url: expected a base URL such as"),
    ({"provider_states": "nonsense"}, "--provider-states: expected a base URL such as"),
    ({"host": "h h"}, "expected --host to be a Host header"),
    ({"project_id": "p p"}, "--project-id: expected project_id to be visible ASCII"),
    ({"project_id": "p/.."}, r"expected --project-id to match .*, got 'p/\.\.'"),
    ({"provider_states": URL, "jobs": "jobs.toml"}, "--provider-states and --jobs both supply jobs"),
    (
        {"secret_key": SECRET_KEY, "access_key": "A"},
        "--secret-key: expected a reference, env:NAME or file:PATH",
    ),
    ({"token": TOKEN}, "--token: expected a reference"),
    ({"security_token": SECURITY_TOKEN}, "--security-token: expected a reference"),
    ({"token": "env:UNSET"}, "--token: the environment variable UNSET is not set"),
    ({"token": ""}, "--token: expected a reference"),
    ({"access_key": "A"}, "--access-key and --secret-key go together"),
    ({"secret_key": REFERENCE}, "--access-key and --secret-key go together"),
    ({"security_token": "env:ST"}, "and --security-token with them"),
    ({"jobs": ""}, "--jobs: cannot read '.': Is a directory"),
    ({"credentials": ""}, "--credentials: cannot read '.': Is a directory"),
    ({"rate": 0}, "expected --rate to be more than 0, got 0"),
    ({"rate": float("nan")}, "expected --rate to be more than 0, got nan"),
    ({"rate": float("inf")}, "expected --rate to be more than 0, got inf"),
    ({"max_requests": -1}, "expected --max-requests to be more than 0, got -1"),
    ({"max_seconds": 0}, "expected --max-seconds to be more than 0, got 0"),
    ({"environment": {}}, "no credential: set CALLOFF_ACCESS_KEY and"),
    ({"project_id": None, "token": "env:TK", "environment": {"TK": TOKEN}}, "needs --project-id"),
]


@pytest.mark.parametrize(("options", "sentence"), REFUSED)
def test_an_option_that_cannot_be_meant_is_refused_in_one_sentence(
    options: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInputError, match=sentence) as caught:
        given(**options)

    assert "\n" not in str(caught.value)
    assert not [shown for shown in texts(caught.value) if "planted" in shown]


def test_provider_states_without_any_credential_are_told(tmp_path: Path) -> None:
    with FakeTarget() as fake:
        fake.abilities = lambda: {"operations": {}, "credentials": []}  # type: ignore[method-assign]
        with pytest.raises(CannotSupplyError, match=r"do not list good credentials; .* token credentials; "):
            given(fake.url, provider_states=fake.states_url, environment={})


def test_provider_states_that_are_not_there_or_answer_nonsense_are_told() -> None:
    with pytest.raises(TargetLostError, match=r"no connection to http://127\.0\.0\.1:1"):
        given(provider_states=URL, environment={})
    with FakeTarget() as fake, pytest.raises(TargetError, match="expected"):
        given(fake.url, provider_states=f"{fake.url}/v1.0", environment={})
