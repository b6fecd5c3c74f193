"""The three APIs and their five operations, as one table; with each, the call that reads the job's state.

The documents in ``spec/`` are the source; this copy spares a client the YAML parser at start-up, and
``tests/test_apis.py`` holds it equal to them.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

ApiName = Literal["tencent-ci", "otc-dli", "huaweicloud-dli"]

_CI_JOB_ID = "^[A-Za-z0-9-]{1,64}$"
_PROJECT_ID = "^[0-9A-Za-z]{1,64}$"
_SQL_JOB_ID = "^[0-9A-Za-z-]{1,64}$"
_BATCH_ID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"


@dataclass(frozen=True, slots=True)
class StatusCall:
    """The call that reads the state of a job: a GET with the path parameters of the cancel.

    It stands beside the contract, not in it: ``OPERATIONS`` holds none. ``states`` says of each state that is
    documented whether it is final.
    """

    api: ApiName
    name: str
    path: str
    job_parameter: str
    patterns: Mapping[str, str]
    states: Mapping[str, bool]
    method: str = "GET"
    query: str = ""

    @property
    def key(self) -> str:
        """Name the call as an operation is named, as in ``otc-dli/getSqlJobStatus``."""
        return f"{self.api}/{self.name}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One way to cancel a job: method, path template, query and the patterns of its path parameters.

    ``status`` reads the state of the same job.
    """

    api: ApiName
    name: str
    method: str
    path: str
    query: str
    job_parameter: str
    patterns: Mapping[str, str]
    status: StatusCall

    @property
    def key(self) -> str:
        """Name the operation among all five, as in ``otc-dli/cancelSqlJob``."""
        return f"{self.api}/{self.name}"


@dataclass(frozen=True, slots=True)
class Api:
    """One vendor API: its document, generated package, host template and operations."""

    name: ApiName
    document: str
    package: str
    host: str
    host_patterns: Mapping[str, str]
    host_exceptions: Mapping[str, str]
    operations: Mapping[str, Operation]


def _states(*, passing: str, final: str) -> Mapping[str, bool]:
    return MappingProxyType(dict.fromkeys(passing.split(), False) | dict.fromkeys(final.split(), True))


_CI_STATES = _states(passing="Submitted Running Pause", final="Success Failed Cancel")
_BATCH_STATES = _states(passing="starting running recovering", final="success dead")
_SQL_STATES = _states(passing="LAUNCHING RUNNING SCALING", final="FINISHED FAILED CANCELLED")

# Name and path of the call that reads the state, and the states, by the operation that it belongs to.
_STATUS_CALLS = {
    "cancelInventoryTriggerJob": (
        "describeInventoryTriggerJob",
        "/inventorytriggerjob/{jobId}",
        _CI_STATES,
    ),
    "cancelAiJob": ("describeAiJob", "/ai_jobs/{jobId}", _CI_STATES),
    "cancelBatchJob": ("getBatchJobState", "/v2.0/{project_id}/batches/{batch_id}/state", _BATCH_STATES),
    "cancelSqlJob": ("getSqlJobStatus", "/v1.0/{project_id}/jobs/{job_id}/status", _SQL_STATES),
}


def _operation(
    api: ApiName, name: str, method: str, path: str, query: str, **patterns: str
) -> tuple[str, Operation]:
    job_parameter = next(key for key in patterns if key != "project_id")
    allowed = MappingProxyType(patterns)
    status_name, status_path, states = _STATUS_CALLS[name]
    status = StatusCall(api, status_name, status_path, job_parameter, allowed, states)
    return name, Operation(api, name, method, path, query, job_parameter, allowed, status)


_REGION = "^[a-z0-9-]+$"

APIS: Mapping[ApiName, Api] = MappingProxyType(
    {
        "tencent-ci": Api(
            "tencent-ci",
            "tencent-ci.openapi.yaml",
            "tencent_ci",
            "{bucket}.ci.{region}.myqcloud.com",
            MappingProxyType({"bucket": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9]+$", "region": _REGION}),
            MappingProxyType({}),
            MappingProxyType(
                dict(
                    [
                        _operation(
                            "tencent-ci",
                            "cancelInventoryTriggerJob",
                            "PUT",
                            "/inventorytriggerjob/{jobId}",
                            "cancel",
                            jobId=_CI_JOB_ID,
                        ),
                        _operation(
                            "tencent-ci",
                            "cancelAiJob",
                            "PUT",
                            "/ai_jobs/{jobId}",
                            "cancel",
                            jobId=_CI_JOB_ID,
                        ),
                    ]
                )
            ),
        ),
        "otc-dli": Api(
            "otc-dli",
            "otc-dli.openapi.yaml",
            "otc_dli",
            "dli.{region}.otc.t-systems.com",
            MappingProxyType({"region": _REGION}),
            MappingProxyType({}),
            MappingProxyType(
                dict(
                    [
                        _operation(
                            "otc-dli",
                            "cancelBatchJob",
                            "DELETE",
                            "/v2.0/{project_id}/batches/{batch_id}",
                            "",
                            project_id=_PROJECT_ID,
                            batch_id=_BATCH_ID,
                        ),
                        _operation(
                            "otc-dli",
                            "cancelSqlJob",
                            "DELETE",
                            "/v1.0/{project_id}/jobs/{job_id}",
                            "",
                            project_id=_PROJECT_ID,
                            job_id=_SQL_JOB_ID,
                        ),
                    ]
                )
            ),
        ),
        "huaweicloud-dli": Api(
            "huaweicloud-dli",
            "huaweicloud-dli.openapi.yaml",
            "huaweicloud_dli",
            "dli.{region}.myhuaweicloud.com",
            MappingProxyType({"region": _REGION}),
            MappingProxyType({"eu-west-101": "dli.eu-west-101.myhuaweicloud.eu"}),
            MappingProxyType(
                dict(
                    [
                        _operation(
                            "huaweicloud-dli",
                            "cancelSqlJob",
                            "DELETE",
                            "/v1.0/{project_id}/jobs/{job_id}",
                            "",
                            project_id=_PROJECT_ID,
                            job_id=_SQL_JOB_ID,
                        ),
                    ]
                )
            ),
        ),
    }
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {operation.key: operation for api in APIS.values() for operation in api.operations.values()}
)
