"""Credentials by reference: what is read, what is refused, and that nothing of a secret is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_target import SECRET_KEY, SECURITY_TOKEN, TOKEN
from hostile_files import EMPTY, NOT_UTF8, UNREADABLE, forbidden, texts, without_privileges

from calloff.errors import InvalidInputError
from calloff.references import resolve
from calloff.verify.credentials_file import Credentials, read_credentials
from calloff.verify.recipes import RECIPES
from calloff.verify.target import Keys

ENVIRONMENT = {
    "AK": "KEYID",
    "SK": SECRET_KEY,
    "ST": SECURITY_TOKEN,
    "TK": TOKEN,
    "NOTHING": "",
    "SPACE": "pl anted",
}
REFERENCE = "env:SK"
PAIR = f'access_key = "env:AK"\nsecret_key = "{REFERENCE}"\n'


def read(folder: Path, text: str, api: str = "otc-dli") -> Credentials:
    file = folder / "credentials.toml"
    file.write_text(text, "utf-8")
    return read_credentials(file, api, ENVIRONMENT)


def test_references_become_credentials(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\r\n")
    given = read(tmp_path, f'[otc-dli]\n{PAIR}token = "file:token"\nproject_id = "abc"\n')

    assert given.keys == Keys("KEYID", SECRET_KEY, token=TOKEN, project_id="abc")
    assert given.kinds == {}
    assert "planted" not in repr(given)


def test_an_access_key_is_no_secret(tmp_path: Path) -> None:
    given = read(tmp_path, '[tencent-ci]\nsecret_id = "PLAIN"\nsecret_key = "env:SK"\n', "tencent-ci")

    assert (given.keys.key_id, given.keys.secret_key) == ("PLAIN", SECRET_KEY)


def test_further_kinds_stand_beside_the_credentials_in_use(tmp_path: Path) -> None:
    given = read(
        tmp_path,
        '[otc-dli]\ntoken = "env:TK"\n'
        '[otc-dli.kinds.expired-token]\ntoken = "env:ST"\n'
        f'[otc-dli.kinds.temporary]\n{PAIR}security_token = "env:ST"\n'
        f'[otc-dli.kinds.other-owner]\n{PAIR}project_id = "theirs"\n',
    )

    assert given.keys == Keys(token=TOKEN)
    assert given.kinds == {
        "expired-token": Keys(token=SECURITY_TOKEN),
        "temporary": Keys("KEYID", SECRET_KEY, SECURITY_TOKEN),
        "other-owner": Keys("KEYID", SECRET_KEY, project_id="theirs"),
    }


def test_every_kind_that_a_check_asks_for_can_be_given(tmp_path: Path) -> None:
    everything = f'{PAIR}token = "env:TK"\nsecurity_token = "env:ST"\n'
    for api, recipes in RECIPES.items():
        kinds = {recipe.credentials for recipe in recipes} - {"none"}
        text = "".join(f"[{api}.kinds.{kind}]\n{everything}" for kind in sorted(kinds))
        assert read(tmp_path, text, api).kinds.keys() == kinds


def test_an_api_that_the_file_does_not_name_has_no_credentials(tmp_path: Path) -> None:
    assert read(tmp_path, f"[otc-dli]\n{PAIR}", "tencent-ci") == Credentials()


def test_a_path_starts_at_home_where_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "t").write_text(TOKEN)

    assert resolve("file:~/t", "--token", {}) == TOKEN


TABLE = "[otc-dli]\n"
REFUSED = [
    ("", "it is empty"),
    (f"[otc-dli]\nsecret_key = '{SECRET_KEY}", "not TOML"),
    (f'token = "{TOKEN}"\n', r"\[token\]: expected one of tencent-ci, otc-dli, huaweicloud-dli as table"),
    (f'otc-dli = "{TOKEN}"\n', r"\[otc-dli\]: expected a table$"),
    (f'[otc-dli]\nkinds = "{TOKEN}"\n', r"\[otc-dli\.kinds\]: expected a table$"),
    (f'[otc-dli.kinds]\ntemporary = "{TOKEN}"\n', r"\[otc-dli\.kinds\.temporary\]: expected a table$"),
    (f'{TABLE}token = "{TOKEN}"\n', r"\[otc-dli\] token: expected a reference, env:NAME or file:PATH"),
    (
        f'{TABLE}access_key = "A"\nsecret_key = "{SECRET_KEY}"\n',
        r"\[otc-dli\] secret_key: expected a reference",
    ),
    (f'{TABLE}{PAIR}security_token = "{SECURITY_TOKEN}"\n', r"security_token: expected a reference"),
    (f"{TABLE}token = ['{TOKEN}']\n", r"\[otc-dli\]: expected token to be text, got list"),
    (f"{TABLE}password = '{TOKEN}'\n", r"\[otc-dli\]: there is no member password; there are access_key, "),
    (f'{TABLE}token = "env:UNSET"\n', r"\[otc-dli\] token: the environment variable UNSET is not set"),
    (f'{TABLE}token = "env:NOTHING"\n', r"token: the environment variable NOTHING is empty"),
    (f'{TABLE}token = "env:"\n', r"token: expected the name of an environment variable after env:"),
    (f'{TABLE}token = "env:{TOKEN}"\n', r"token: expected the name of an environment variable after env:"),
    (f'{TABLE}token = "env:SPACE"\n', r"token: expected visible ASCII characters without a space"),
    (f'{TABLE}token = "file:missing"\n', r"token: cannot read '.*/missing': No such file or directory"),
    (f'{TABLE}token = "file:."\n', r"token: cannot read .*: Is a directory"),
    (f'{TABLE}token = "file:/dev/zero"\n', r"token: cannot read '/dev/zero': it has more than 32768 bytes"),
    (f'{TABLE}project_id = "a b"\n', r"\[otc-dli\] project_id: expected visible ASCII"),
    (f'{TABLE}access_key = "env:AK"\n', r"\[otc-dli\]: access_key and secret_key go together"),
    (f'{TABLE}secret_key = "{REFERENCE}"\n', r"\[otc-dli\]: access_key and secret_key go together"),
    (f'{TABLE}security_token = "env:ST"\n', r"\[otc-dli\]: security_token goes with a key pair"),
    (
        f'{TABLE}{PAIR}secret_id = "env:AK"\n',
        r"\[otc-dli\]: access_key and secret_id are two names of one thing",
    ),
    (
        "[otc-dli.kinds.golden]\n",
        r"\[otc-dli\.kinds\.golden\]: there is no such kind; there are .*expired-token",
    ),
    ("[tencent-ci.kinds.token]\n", r"\[tencent-ci\.kinds\.token\]: there is no such kind"),
    (f"[otc-dli.kinds.expired-token]\n{PAIR}", r"\[otc-dli\.kinds\.expired-token\]: token is missing"),
    (f"[otc-dli.kinds.temporary]\n{PAIR}", r"\[otc-dli\.kinds\.temporary\]: security_token is missing"),
    (
        '[otc-dli.kinds.other-owner]\ntoken = "env:TK"\n',
        r"\[otc-dli\.kinds\.other-owner\]: secret_key is missing",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED)
def test_a_file_that_cannot_be_meant_is_refused_and_nothing_of_it_shown(
    tmp_path: Path, text: str, sentence: str
) -> None:
    api = "tencent-ci" if text.startswith("[tencent-ci") else "otc-dli"
    with pytest.raises(InvalidInputError, match=sentence) as caught:
        read(tmp_path, text, api)

    assert str(caught.value).startswith("--credentials: ")
    assert "\n" not in str(caught.value)
    assert not [shown for shown in texts(caught.value) if "planted" in shown or "pl anted" in shown]


@pytest.mark.parametrize(("words", "make"), [*UNREADABLE, EMPTY, NOT_UTF8])
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(
    tmp_path: Path, words: str, make: Callable[[Path], Path]
) -> None:
    file = make(tmp_path)
    with pytest.raises(InvalidInputError, match=words) as caught:
        read_credentials(file, "otc-dli", {})

    assert str(caught.value).startswith("--credentials: ")
    assert not [shown for shown in texts(caught.value) if "planted" in shown]


@pytest.mark.parametrize(
    ("words", "make"),
    [*UNREADABLE, EMPTY, ("expected visible ASCII characters", NOT_UTF8[1])],
)
def test_a_secret_that_cannot_be_read_is_told_by_the_option(
    tmp_path: Path, words: str, make: Callable[[Path], Path]
) -> None:
    reference = f"file:{make(tmp_path)}"
    with pytest.raises(InvalidInputError, match=words) as caught:
        resolve(reference, "--token", {})

    assert str(caught.value).startswith("--token: ")
    assert not [shown for shown in texts(caught.value) if "planted" in shown]


def test_a_secret_without_permission_is_told_by_the_option(tmp_path: Path) -> None:
    reference = f"file:{forbidden(tmp_path)}"
    with without_privileges(), pytest.raises(InvalidInputError, match=r"^--token: .*: Permission denied$"):
        resolve(reference, "--token", {})
