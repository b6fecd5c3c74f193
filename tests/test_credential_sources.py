"""Where credentials come from: each source, the order of them, and what is no credential."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from calloff import AccessKey, CredentialError, IamPassword, InvalidInputError, TemporaryKey, Token
from calloff.apis import ApiName
from calloff.credential_sources import Found, find, look
from calloff.credentials import RefreshingKey
from calloff.errors import MissingExtraError

NOW = 1_768_469_400.0  # 2026-01-15T09:30:00Z
PLANTED = "planted-5ecret"
REFERENCE = "env:SECRET"
CI: dict[str, str] = {"TENCENTCLOUD_SECRET_ID": "AKIDEXAMPLE0001", "TENCENTCLOUD_SECRET_KEY": PLANTED}
HW_SDK = {"HUAWEICLOUD_SDK_AK": "AKIDEXAMPLE0002", "HUAWEICLOUD_SDK_SK": PLANTED}
HW_TF = {"HW_ACCESS_KEY": "AKIDEXAMPLE0003", "HW_SECRET_KEY": PLANTED}
OS_KEY = {"OS_ACCESS_KEY": "AKIDEXAMPLE0004", "OS_SECRET_KEY": PLANTED}
OS_USER = {"OS_USERNAME": "ops", "OS_PASSWORD": PLANTED, "OS_USER_DOMAIN_NAME": "OTC-EXAMPLE"}
OWN = {"CALLOFF_ACCESS_KEY": "AKIDEXAMPLE0005", "CALLOFF_SECRET_KEY": PLANTED}

FROM_VARIABLES: list[tuple[ApiName, dict[str, str], object, dict[str, str]]] = [
    ("tencent-ci", CI, AccessKey("AKIDEXAMPLE0001", PLANTED), {"source": "TENCENTCLOUD_*"}),
    (
        "tencent-ci",
        {**CI, "TENCENTCLOUD_TOKEN": "planted-t", "TENCENTCLOUD_REGION": "ap-beijing"},
        TemporaryKey("AKIDEXAMPLE0001", PLANTED, "planted-t"),
        {"region": "ap-beijing", "identity": "temporary key AKID…0001"},
    ),
    (
        "tencent-ci",
        {**CI, "TENCENTCLOUD_SECURITY_TOKEN": "planted-t"},
        TemporaryKey("AKIDEXAMPLE0001", PLANTED, "planted-t"),
        {},
    ),
    (
        "tencent-ci",
        {**CI, "TENCENTCLOUD_SESSION_TOKEN": "planted-t"},
        TemporaryKey("AKIDEXAMPLE0001", PLANTED, "planted-t"),
        {},
    ),
    (
        "huaweicloud-dli",
        {**HW_SDK, "HUAWEICLOUD_SDK_PROJECT_ID": "p1"},
        AccessKey("AKIDEXAMPLE0002", PLANTED),
        {"source": "HUAWEICLOUD_SDK_*", "project_id": "p1", "identity": "access key AKID…0002"},
    ),
    (
        "huaweicloud-dli",
        {**HW_SDK, "HUAWEICLOUD_SDK_SECURITY_TOKEN": "planted-t"},
        TemporaryKey("AKIDEXAMPLE0002", PLANTED, "planted-t"),
        {},
    ),
    (
        "huaweicloud-dli",
        {**HW_TF, "HW_REGION_NAME": "cn-north-4"},
        AccessKey("AKIDEXAMPLE0003", PLANTED),
        {"source": "HW_*", "region": "cn-north-4"},
    ),
    (
        "huaweicloud-dli",
        {**HW_TF, "HW_SECURITY_TOKEN": "planted-t"},
        TemporaryKey("AKIDEXAMPLE0003", PLANTED, "planted-t"),
        {},
    ),
    (
        "otc-dli",
        {**OS_KEY, "OS_PROJECT_ID": "p2", "OS_REGION_NAME": "eu-de"},
        AccessKey("AKIDEXAMPLE0004", PLANTED),
        {"source": "OS_*", "project_id": "p2", "region": "eu-de"},
    ),
    (
        "otc-dli",
        {**OS_KEY, "OS_SECURITY_TOKEN": "planted-t"},
        TemporaryKey("AKIDEXAMPLE0004", PLANTED, "planted-t"),
        {},
    ),
    ("otc-dli", {"OS_TOKEN": PLANTED, "OS_TENANT_ID": "p3"}, Token(PLANTED), {"project_id": "p3"}),
    ("huaweicloud-dli", {"OS_AUTH_TOKEN": PLANTED}, Token(PLANTED), {"identity": "token"}),
    (
        "otc-dli",
        {**OS_USER, "OS_AUTH_URL": "https://iam.eu-de.otc.t-systems.com/v3", "OS_PROJECT_NAME": "eu-de_x"},
        IamPassword("ops", PLANTED, "OTC-EXAMPLE", "eu-de_x", "https://iam.eu-de.otc.t-systems.com"),
        {"source": "OS_*", "identity": "IAM user ops of OTC-EXAMPLE"},
    ),
    (
        "huaweicloud-dli",
        {"OS_USERNAME": "ops", "OS_PASSWORD": PLANTED, "OS_DOMAIN_NAME": "D"},
        IamPassword("ops", PLANTED, "D"),
        {},
    ),
    (
        "otc-dli",
        {**OWN, "CALLOFF_PROJECT_ID": "p4", "CALLOFF_REGION": "eu-nl"},
        AccessKey("AKIDEXAMPLE0005", PLANTED),
        {"source": "CALLOFF_*", "project_id": "p4", "region": "eu-nl"},
    ),
    ("huaweicloud-dli", {"CALLOFF_TOKEN": PLANTED}, Token(PLANTED), {}),
]


@pytest.mark.parametrize(("api", "environment", "credential", "facts"), FROM_VARIABLES)
def test_the_variables_of_the_vendors_tools_give_a_credential(
    api: ApiName, environment: dict[str, str], credential: object, facts: dict[str, str]
) -> None:
    found = find(api, environment=environment, now=NOW)
    assert found.credential == credential
    assert {name: getattr(found, name) for name in facts} == facts


@pytest.mark.parametrize(
    ("api", "environment"),
    [
        ("tencent-ci", {**HW_SDK, **HW_TF, **OS_KEY, **OS_USER}),
        ("otc-dli", {**CI, **HW_SDK, **HW_TF}),
        ("huaweicloud-dli", CI),
        ("otc-dli", {"OS_PROJECT_ID": "p", "OS_REGION_NAME": "eu-de", "OS_AUTH_URL": "https://iam.example"}),
        ("tencent-ci", dict.fromkeys(CI, "")),
    ],
)
def test_what_is_meant_for_another_api_or_names_only_a_place_is_no_credential(
    api: ApiName, environment: dict[str, str]
) -> None:
    with pytest.raises(CredentialError, match=f"no credential for {api}: set .*calloff whoami {api}"):
        find(api, environment=environment)


@pytest.mark.parametrize(
    ("api", "environment", "source"),
    [
        ("tencent-ci", {**OWN, **CI}, "CALLOFF_*"),
        ("huaweicloud-dli", {**OWN, **HW_SDK, **HW_TF, **OS_KEY}, "CALLOFF_*"),
        ("huaweicloud-dli", {**HW_SDK, **HW_TF, **OS_KEY}, "HUAWEICLOUD_SDK_*"),
        ("huaweicloud-dli", {**HW_TF, **OS_KEY}, "HW_*"),
        ("otc-dli", {**OWN, **OS_KEY}, "CALLOFF_*"),
    ],
)
def test_the_first_source_in_order_is_used(api: ApiName, environment: dict[str, str], source: str) -> None:
    assert find(api, environment=environment).source == source


def test_an_option_comes_before_the_environment() -> None:
    environment = {**OWN, **OS_KEY, "MINE": "planted-other"}
    found = find("otc-dli", access_key="AKIDEXAMPLE0006", secret_key="env:MINE", environment=environment)
    assert (found.credential, found.source) == (AccessKey("AKIDEXAMPLE0006", "planted-other"), "options")


def test_within_one_source_a_token_comes_before_a_key_and_a_key_before_a_user() -> None:
    whole = {**OS_KEY, **OS_USER, "OS_TOKEN": "planted-token"}
    assert find("otc-dli", environment=whole).credential == Token("planted-token")
    assert isinstance(find("otc-dli", environment={**OS_KEY, **OS_USER}).credential, AccessKey)


def test_a_place_comes_from_the_option_then_the_source_then_calloff() -> None:
    environment = {
        **OS_KEY,
        "OS_PROJECT_ID": "theirs",
        "CALLOFF_PROJECT_ID": "ours",
        "CALLOFF_REGION": "eu-nl",
    }
    assert find("otc-dli", project_id="mine", environment=environment).project_id == "mine"
    found = find("otc-dli", environment=environment)
    assert (found.project_id, found.region) == ("theirs", "eu-nl")


def test_a_place_never_comes_from_a_source_that_did_not_win() -> None:
    found = find("huaweicloud-dli", environment={**HW_SDK, "OS_PROJECT_ID": "theirs", "HW_REGION_NAME": "cn"})
    assert (found.project_id, found.region) == ("", "")


HALF: list[tuple[ApiName, dict[str, str], str]] = [
    (
        "tencent-ci",
        {"TENCENTCLOUD_SECRET_ID": "id"},
        "TENCENTCLOUD_SECRET_ID is set, but not TENCENTCLOUD_SECRET_KEY",
    ),
    ("tencent-ci", {"TENCENTCLOUD_SECRET_KEY": PLANTED}, "but not TENCENTCLOUD_SECRET_ID"),
    (
        "tencent-ci",
        {"TENCENTCLOUD_TOKEN": PLANTED},
        "but not TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY",
    ),
    ("huaweicloud-dli", {"HUAWEICLOUD_SDK_AK": "id", **HW_TF}, "but not HUAWEICLOUD_SDK_SK"),
    ("huaweicloud-dli", {"HW_SECURITY_TOKEN": PLANTED, **OS_KEY}, "but not HW_ACCESS_KEY and HW_SECRET_KEY"),
    ("otc-dli", {"OS_USERNAME": "ops"}, "but not OS_PASSWORD and OS_USER_DOMAIN_NAME; an IAM user needs all"),
    ("otc-dli", {"OS_PASSWORD": PLANTED, "OS_DOMAIN_NAME": "D"}, "OS_PASSWORD is set, but not OS_USERNAME"),
    ("otc-dli", {"CALLOFF_SECRET_KEY": PLANTED, **OS_KEY}, "but not CALLOFF_ACCESS_KEY"),
    ("tencent-ci", {"CALLOFF_TOKEN": PLANTED, **CI}, "tencent-ci takes a key pair, not a token"),
    (
        "tencent-ci",
        {**CI, "TENCENTCLOUD_TOKEN": "planted-1", "TENCENTCLOUD_SECURITY_TOKEN": "planted-2"},
        "TENCENTCLOUD_TOKEN and TENCENTCLOUD_SECURITY_TOKEN are names of one thing and differ",
    ),
    ("tencent-ci", {**CI, "TENCENTCLOUD_SECRET_KEY": f"{PLANTED} \n"}, "must be printable ASCII"),
]


@pytest.mark.parametrize(("api", "environment", "problem"), HALF)
def test_a_half_filled_source_is_an_error_and_never_completed_from_the_next(
    api: ApiName, environment: dict[str, str], problem: str
) -> None:
    with pytest.raises(InvalidInputError, match=problem) as caught:
        find(api, environment=environment)
    assert "planted" not in str(caught.value)
    search = look(api, environment=environment)
    assert search.found is None
    assert problem in search.problem
    assert "planted" not in repr(search)


OPTION_FAULTS: list[tuple[ApiName, dict[str, str], str]] = [
    ("otc-dli", {"access_key": "id"}, "--access-key is set, but not --secret-key"),
    (
        "otc-dli",
        {"secret_key": "env:SECRET"},  # pragma: allowlist secret
        "--secret-key is set, but not --access-key",
    ),
    ("otc-dli", {"access_key": "id", "secret_key": PLANTED}, "--secret-key: expected a reference"),
    ("otc-dli", {"token": PLANTED}, "--token: expected a reference"),
    (
        "otc-dli",
        {"iam_user": "u", "iam_domain": "d", "iam_password": PLANTED},
        "--iam-password: expected a reference",
    ),
    ("otc-dli", {"iam_user": "u", "iam_password": REFERENCE}, "--iam-user is set, but not --iam-domain"),
    ("otc-dli", {"token": "env:NONE"}, "the environment variable NONE is not set"),
    (
        "otc-dli",
        {"token": REFERENCE, "access_key": "id", "secret_key": REFERENCE},
        "--token and --access-key give two credentials",
    ),
    ("otc-dli", {"token": REFERENCE, "cloud": "otc"}, "--token and --cloud otc each give a credential"),
    ("otc-dli", {"command": "key", "cloud": "otc"}, "--credential-command and --cloud otc each give a cred"),
    ("tencent-ci", {"token": REFERENCE}, "tencent-ci takes a key pair, not a token"),
]


@pytest.mark.parametrize(("api", "options", "problem"), OPTION_FAULTS)
def test_options_that_do_not_make_one_credential_are_refused(
    api: ApiName, options: dict[str, Any], problem: str
) -> None:
    environment = {"SECRET": PLANTED, **CI, **OS_KEY}
    with pytest.raises(InvalidInputError, match=problem) as caught:
        find(api, environment=environment, **options)
    assert "planted" not in str(caught.value)


def test_a_user_may_have_a_password_with_a_space(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("correct horse\n", "utf-8")
    found = find(
        "otc-dli",
        iam_user="ops user",
        iam_password=f"file:{tmp_path / 'password'}",
        iam_domain="D",
        iam_url="https://iam.example/v3/",
        environment={},
    )
    assert found.credential == IamPassword("ops user", "correct horse", "D", iam_url="https://iam.example")


def test_every_source_is_told_with_what_became_of_it() -> None:
    search = look("huaweicloud-dli", environment={**HW_TF, "OS_TOKEN": PLANTED, "OS_CLOUD": "hw"})
    assert [(each.source, each.verdict) for each in search.looked] == [
        ("options", "not set"),
        ("--credential-command", "not set"),
        ("--cloud", "not set"),
        ("CALLOFF_*", "not set"),
        ("HUAWEICLOUD_SDK_*", "not set"),
        ("HW_*", "used"),
        ("OS_CLOUD", "not used: hw"),
        ("OS_*", "not used: OS_TOKEN"),
    ]


@pytest.mark.parametrize("case", FROM_VARIABLES)
def test_no_repr_shows_a_secret(case: tuple[ApiName, dict[str, str], object, dict[str, str]]) -> None:
    search = look(case[0], environment=case[1])
    assert search.found is not None
    assert "planted" not in repr(search) + str(search.found)
    assert "AKIDEXAMPLE" not in repr(search)


# --- a command ---


def printing(tmp_path: Path, *outputs: Mapping[str, object] | str, status: int = 0) -> str:
    """Write a program that prints the first of ``outputs``, when run again the next, and ends with ``status``."""
    for number, output in enumerate(outputs):
        text = output if isinstance(output, str) else json.dumps(output)
        (tmp_path / f"output-{number}").write_text(text, "utf-8")
    program = tmp_path / "give key.py"
    program.write_text(
        textwrap.dedent(f"""
            import pathlib, sys
            here = pathlib.Path(__file__).parent
            count = here / "runs"
            runs = int(count.read_text()) if count.exists() else 0
            count.write_text(str(runs + 1))
            print((here / f"output-{{runs}}").read_text(), end="")
            print("planted on stderr", file=sys.stderr)
            sys.exit({status})
        """),
        "utf-8",
    )
    return f"'{sys.executable}' '{program}'"


@pytest.mark.parametrize(
    "output",
    [
        {"id": "AKIDEXAMPLE0007", "secret": PLANTED, "token": "planted-t", "expires_at": NOW + 900},
        {
            "id": "AKIDEXAMPLE0007",
            "secret": PLANTED,
            "token": "planted-t",
            "expires_at": "2026-01-15T09:45:00Z",
        },
        {
            "id": "AKIDEXAMPLE0007",
            "secret": PLANTED,
            "token": "planted-t",
            "expires_at": "2026-01-15T17:45:00+08:00",
        },
        {  # as IAM answers
            "credential": {
                "access": "AKIDEXAMPLE0007",
                "secret": PLANTED,
                "securitytoken": "planted-t",
                "expires_at": "2026-01-15T09:45:00.000000Z",
            }
        },
        {  # as Tencent's STS answers
            "Credentials": {
                "TmpSecretId": "AKIDEXAMPLE0007",  # pragma: allowlist secret
                "TmpSecretKey": PLANTED,
                "Token": "planted-t",
            },
            "ExpiredTime": int(NOW + 900),
            "Expiration": "2026-01-15T09:45:00Z",
        },
    ],
)
def test_a_command_gives_a_temporary_key(output: dict[str, object], tmp_path: Path) -> None:
    found = find("tencent-ci", command=printing(tmp_path, output), environment={}, now=NOW)
    assert isinstance(found.credential, RefreshingKey)
    assert found.credential.get(NOW) == TemporaryKey("AKIDEXAMPLE0007", PLANTED, "planted-t", NOW + 900)
    assert found == Found(
        found.credential, "--credential-command", "temporary key AKID…0007", expires_at=NOW + 900
    )
    assert (tmp_path / "runs").read_text() == "1"
    assert "planted" not in repr(found) + repr(found.credential)


def test_the_command_is_run_again_before_the_key_ends(tmp_path: Path) -> None:
    keys = [
        {"id": f"key-{number}", "secret": PLANTED, "token": "planted-t", "expires_at": NOW + 1000 * number}
        for number in (1, 2)
    ]
    found = find("otc-dli", command=printing(tmp_path, *keys), environment={}, now=NOW)
    assert isinstance(found.credential, RefreshingKey)
    assert [found.credential.get(NOW + after).id for after in (0, 899, 900)] == ["key-1", "key-1", "key-2"]


def test_a_command_may_give_a_permanent_key(tmp_path: Path) -> None:
    command = printing(tmp_path, {"id": "AKIDEXAMPLE0007", "secret": PLANTED})
    assert find("otc-dli", command=command, environment={}).credential == AccessKey(
        "AKIDEXAMPLE0007", PLANTED
    )


@pytest.mark.parametrize(
    ("output", "status", "problem"),
    [
        ("", 0, "expected one JSON object"),
        (PLANTED, 0, "expected one JSON object"),
        (f'["{PLANTED}"]', 0, "expected one JSON object"),
        ("[" * 60_000, 0, "expected one JSON object"),
        ("x" * 70_000, 0, "printed more than 65536 bytes"),
        ({"secret": PLANTED}, 0, "has no member id"),
        ({"id": "key"}, 0, "expected secret to be text"),
        ({"id": "key", "secret": 5}, 0, "expected secret to be text"),
        ({"id": "key", "secret": PLANTED, "token": 5}, 0, "expected token to be text"),
        ({"id": "key", "secret": f"{PLANTED} "}, 0, "must be printable ASCII"),
        ({"id": "key", "secret": PLANTED, "expires_at": NOW + 900}, 0, "needs token, too"),
        ({"id": "key", "secret": PLANTED, "token": "planted-t", "expires_at": "soon"}, 0, "got neither"),
        ({"id": "key", "secret": PLANTED, "token": "planted-t", "expires_at": True}, 0, "got neither"),
        ({"id": "key", "secret": PLANTED, "token": "planted-t", "expires_at": NOW}, 0, "has expired"),
        ({"id": "key", "secret": PLANTED}, 3, "ended with exit status 3; run it by hand"),
    ],
)
def test_a_command_that_gives_no_good_key_is_told_without_what_it_printed(
    output: dict[str, object] | str,
    status: int,
    problem: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    command = printing(tmp_path, output, status=status)
    with pytest.raises((CredentialError, InvalidInputError), match=problem) as caught:
        find("otc-dli", command=command, environment={}, now=NOW)
    assert str(caught.value).startswith("--credential-command: ")
    assert "planted" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("/no/such/program --now", "/no/such/program: it cannot be run: No such file"),
        ("   ", "expected a program and its arguments: it is empty"),
        ("'unclosed", "expected a program and its arguments: No closing quotation"),
        ("a\x00b", "it cannot be run: no program has that name"),
    ],
)
def test_a_command_that_cannot_be_run_is_told(command: str, problem: str) -> None:
    with pytest.raises((CredentialError, InvalidInputError), match=problem):
        find("otc-dli", command=command, environment={})


def test_a_command_that_stops_giving_tokens_is_told(tmp_path: Path) -> None:
    first = {"id": "key", "secret": PLANTED, "token": "planted-t", "expires_at": NOW + 1000}
    command = printing(tmp_path, first, {"id": "key", "secret": PLANTED})
    found = find("otc-dli", command=command, environment={}, now=NOW)
    assert isinstance(found.credential, RefreshingKey)
    with pytest.raises(CredentialError, match="one without a token now"):
        found.credential.get(NOW + 1000)


# --- clouds.yaml, by the real openstacksdk ---

CLOUDS = f"""
clouds:
  user:
    region_name: eu-de
    auth:
      auth_url: https://iam.eu-de.otc.t-systems.com/v3
      username: ops
      password: "{PLANTED} {{x}}"
      user_domain_name: OTC-EXAMPLE
      project_name: eu-de_example
      project_id: p5
  keys:
    region_name: eu-nl
    access_key: AKIDEXAMPLE0008
    secret_key: {PLANTED}
    auth: {{auth_url: "https://iam.example/v3", project_id: p6}}
  keys-in-auth:
    auth: {{access_key: AKIDEXAMPLE0008, secret_key: {PLANTED}, security_token: planted-t}}
  token:
    auth_type: v3token
    auth: {{auth_url: "https://iam.example/v3", token: {PLANTED}, project_id: p7}}
  half:
    auth: {{username: ops, password: {PLANTED}}}
  empty:
    auth: {{auth_url: "https://iam.example/v3"}}
  list:
    auth: {{username: ops, password: [{PLANTED}], user_domain_name: D}}
  asks-a-server:
    profile: https://vendor.example
    auth: {{username: ops, password: {PLANTED}, user_domain_name: D}}
  secured:
    auth: {{username: ops, user_domain_name: D}}
"""


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Environment that names a clouds.yaml, and a secure.yaml that completes one cloud of it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(CLOUDS, "utf-8")
    (tmp_path / "secret.yaml").write_text(
        f"clouds: {{secured: {{auth: {{password: {PLANTED}}}}}}}\n", "utf-8"
    )
    return {
        "OS_CLIENT_CONFIG_FILE": str(tmp_path / "mine.yaml"),
        "OS_CLIENT_SECURE_FILE": str(tmp_path / "secret.yaml"),
    }


@pytest.mark.parametrize(
    ("name", "credential", "project_id", "region"),
    [
        (
            "user",
            IamPassword(
                *("ops", f"{PLANTED} {{x}}", "OTC-EXAMPLE", "eu-de_example"),
                iam_url="https://iam.eu-de.otc.t-systems.com",
            ),
            "p5",
            "eu-de",
        ),
        ("keys", AccessKey("AKIDEXAMPLE0008", PLANTED), "p6", "eu-nl"),
        ("keys-in-auth", TemporaryKey("AKIDEXAMPLE0008", PLANTED, "planted-t"), "", ""),
        ("token", Token(PLANTED), "p7", ""),
        ("secured", IamPassword("ops", PLANTED, "D"), "", ""),
    ],
)
@pytest.mark.parametrize("by", ["--cloud", "OS_CLOUD"])
def test_a_cloud_of_clouds_yaml_gives_a_credential(
    by: str, name: str, credential: object, project_id: str, region: str, clouds: dict[str, str]
) -> None:
    if by == "OS_CLOUD":
        found = find("otc-dli", environment={**clouds, **OS_KEY, "OS_CLOUD": name})
    else:
        found = find("otc-dli", cloud=name, environment={**clouds, **OS_KEY, **OWN})
    assert (found.credential, found.source) == (credential, by)
    assert (found.project_id, found.region) == (project_id, region)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("half", "auth.username of cloud half is set, but not auth.user_domain_name of cloud half"),
        ("empty", "holds no token, no access_key and no username"),
        ("list", "expected auth.password of cloud list to be text, in quotes; got list"),
        ("asks-a-server", "takes its profile from a server, which is not asked"),
        ("missing", "has no cloud 'missing'; it has user, keys, "),
    ],
)
def test_a_cloud_that_gives_none_is_told(name: str, problem: str, clouds: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError, match=problem) as caught:
        find("otc-dli", cloud=name, environment={**clouds, **OS_KEY})
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"clouds:\n  a: {{auth: {{password: '{PLANTED}\n", "mine.yaml is not YAML at line 3"),
        (f"clouds:\n  a: {{auth: {{password: *{PLANTED} }}}}\n", "mine.yaml is not YAML at line 2"),
        (f"clouds: [{PLANTED}]\n", "does not describe clouds as it should: "),
        (f"- {PLANTED}\n", "does not describe clouds as it should: "),
        (f"clouds: {{a: {PLANTED}}}\n", "does not describe clouds as it should: "),
        ("", "has no cloud 'a'; it has none"),
    ],
)
def test_a_file_that_is_none_is_told_without_its_content(
    text: str, problem: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "mine.yaml").write_text(text, "utf-8")
    with pytest.raises(InvalidInputError, match=problem) as caught:
        find("otc-dli", cloud="a", environment={"OS_CLIENT_CONFIG_FILE": str(tmp_path / "mine.yaml")})
    assert "planted" not in str(caught.value) + caplog.text


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    environment = {"OS_CLIENT_CONFIG_FILE": str(tmp_path / "none.yaml")}
    with pytest.raises(
        InvalidInputError, match=r"OS_CLIENT_CONFIG_FILE names .*none.yaml', which is no file"
    ):
        find("otc-dli", cloud="a", environment=environment)


def test_the_reader_takes_nothing_from_the_environment_of_the_process(
    clouds: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_PASSWORD", "planted-other")
    monkeypatch.setenv("OS_PROJECT_ID", "other")
    found = find("otc-dli", cloud="user", environment=clouds)
    assert isinstance(found.credential, IamPassword)
    assert (found.credential.password, found.project_id) == (f"{PLANTED} {{x}}", "p5")


def test_no_cloud_is_read_unless_one_is_named(clouds: dict[str, str]) -> None:
    with pytest.raises(CredentialError, match="no credential for otc-dli"):
        find("otc-dli", environment=clouds)


def test_without_openstacksdk_the_extra_is_named(
    clouds: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openstack", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'calloff\[openstack\]'"):
        find("otc-dli", cloud="user", environment=clouds)
