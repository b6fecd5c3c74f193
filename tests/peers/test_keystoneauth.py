"""keystoneauth1, unchanged, gets tokens from the mock's IAM, finds DLI in the catalogue, and cancels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from keystoneauth1 import exceptions, identity
from keystoneauth1.identity import v3
from keystoneauth1.session import Session

from peers.running import Running, running

DAY = 24 * 3600
SQL = {"eu-de": "otc-dli/cancelSqlJob", "cn-north-4": "huaweicloud-dli/cancelSqlJob"}


@pytest.fixture(scope="module")
def mock() -> Iterator[Running]:
    with running() as mock:
        yield mock


@pytest.fixture(autouse=True)
def unlocked(mock: Running) -> None:
    mock.state.forget()
    mock.clock.ahead = 0


@contextmanager
def session(auth: Any) -> Iterator[Session]:
    with requests.Session() as pool:
        pool.trust_env = False
        yield Session(auth=auth, session=pool)


def user(mock: Running) -> dict[str, Any]:
    account = mock.announcement["iam"]
    return {
        "username": account["user"],
        "password": account["password"],
        "user_domain_name": account["domain"],
    }


def of_the_project(mock: Running, **more: Any) -> v3.Password:
    account = mock.announcement["iam"]
    scope = {"project_name": account["project"], "project_domain_name": account["domain"]}
    return v3.Password(auth_url=f"{mock.iam_url}/v3", **user(mock), **scope, **more)


def cancel(session: Session, mock: Running, region: str, job_id: str) -> requests.Response:
    path = f"/v1.0/{mock.project('otc-dli')}/jobs/{job_id}"
    answer: requests.Response = session.delete(
        path, endpoint_filter={"service_type": "dli", "region_name": region}
    )
    return answer


@pytest.mark.parametrize("region", SQL)
def test_dli_is_found_in_the_catalogue_and_cancels_with_the_token(mock: Running, region: str) -> None:
    job = mock.job(SQL[region], "RUNNING")
    with session(of_the_project(mock)) as session_:
        api = SQL[region].partition("/")[0]
        assert (
            session_.get_endpoint(service_type="dli", region_name=region)
            == mock.announcement["apis"][api]["base_url"]
        )
        assert session_.get_project_id() == mock.project("otc-dli")
        assert cancel(session_, mock, region, job.id).json() == {"is_success": True, "message": ""}
    assert mock.state_of(job) == "CANCELLED"


def test_the_generic_plugin_discovers_the_version(mock: Running) -> None:
    account = mock.announcement["iam"]
    for auth_url in (mock.iam_url, f"{mock.iam_url}/v3"):
        auth = identity.Password(
            auth_url=auth_url,
            **user(mock),
            project_name=account["project"],
            project_domain_name=account["domain"],
        )
        with session(auth) as session_:
            assert session_.get_token()
            assert session_.get_endpoint(service_type="identity") == f"{mock.iam_url}/v3"


def test_a_token_is_verified_and_deleted(mock: Running) -> None:
    with session(of_the_project(mock)) as session_:
        identity_ = {"service_type": "identity"}
        subject = v3.Password(auth_url=f"{mock.iam_url}/v3", **user(mock)).get_token(session_)
        headers = {"X-Subject-Token": str(subject)}
        assert session_.head("/auth/tokens", endpoint_filter=identity_, headers=headers).status_code == 200
        answer = session_.get("/auth/tokens", endpoint_filter=identity_, headers=headers)
        assert answer.json()["token"]["user"]["name"] == mock.announcement["iam"]["user"]
        assert session_.delete("/auth/tokens", endpoint_filter=identity_, headers=headers).status_code == 204
        with pytest.raises(exceptions.NotFound):
            session_.head("/auth/tokens", endpoint_filter=identity_, headers=headers)
        assert session_.get("/projects", endpoint_filter=identity_).status_code == 200


def test_the_projects_are_listed(mock: Running) -> None:
    with session(of_the_project(mock)) as session_:
        answer = session_.get(
            "/projects", params={"name": "eu-de"}, endpoint_filter={"service_type": "identity"}
        )
    assert [project["id"] for project in answer.json()["projects"]] == [mock.project("otc-dli")]


def test_a_token_that_ended_is_renewed(mock: Running) -> None:
    """The client's clock does not move, so it learns of the end from the gateway's 401."""
    with session(of_the_project(mock)) as session_:
        first = session_.get_token()
        mock.clock.ahead = DAY
        job = mock.job(SQL["eu-de"], "RUNNING")
        assert cancel(session_, mock, "eu-de", job.id).status_code == 200
        assert session_.get_token() != first
    assert mock.state_of(job) == "CANCELLED"


def test_without_the_catalogue_nothing_is_found(mock: Running) -> None:
    with session(of_the_project(mock, include_catalog=False)) as session_:
        assert session_.get_token()
        with pytest.raises(exceptions.EmptyCatalog):
            session_.get_endpoint(service_type="dli")


@pytest.mark.parametrize("scoped", [True, False])
def test_a_token_without_a_project_finds_no_dli(mock: Running, scoped: bool) -> None:
    scope: dict[str, Any] = {"domain_name": mock.announcement["iam"]["domain"]} if scoped else {}
    with session(v3.Password(auth_url=f"{mock.iam_url}/v3", **user(mock), **scope)) as session_:
        assert session_.get_token()
        assert session_.get_project_id() is None
        assert session_.get_endpoint(service_type="identity") == f"{mock.iam_url}/v3"
        with pytest.raises(exceptions.EndpointNotFound):
            session_.get_endpoint(service_type="dli")


def test_a_token_is_exchanged_for_one_of_the_project(mock: Running) -> None:
    with session(v3.Password(auth_url=f"{mock.iam_url}/v3", **user(mock))) as session_:
        unscoped = session_.get_token()
    assert unscoped
    exchanged = v3.Token(f"{mock.iam_url}/v3", unscoped, project_id=mock.project("otc-dli"))
    job = mock.job(SQL["eu-de"], "RUNNING")
    with session(exchanged) as session_:
        assert cancel(session_, mock, "eu-de", job.id).status_code == 200


def test_refusals_are_read(mock: Running) -> None:
    wrong: dict[str, Any] = {**user(mock), "password": "wrong"}
    with session(v3.Password(auth_url=f"{mock.iam_url}/v3", **wrong)) as session_:
        for _ in range(6):
            with pytest.raises(exceptions.Unauthorized, match="The username or password is wrong"):
                session_.get_token()
    with session(of_the_project(mock)) as session_:
        with pytest.raises(exceptions.Unauthorized, match="The account is locked"):
            session_.get_token()
        mock.clock.ahead = 15 * 60
        assert session_.get_token()
    nowhere = v3.Password(auth_url=f"{mock.iam_url}/v3", **user(mock), project_id="another")
    with session(nowhere) as session_, pytest.raises(exceptions.Unauthorized):
        session_.get_token()


def test_a_refusal_of_dli_is_read(mock: Running) -> None:
    job = mock.job(SQL["eu-de"], "FINISHED")
    with session(of_the_project(mock)) as session_, pytest.raises(exceptions.BadRequest) as refused:
        cancel(session_, mock, "eu-de", job.id)
    assert refused.value.response is not None
    assert refused.value.response.json()["error_code"] == "DLI.0007"
