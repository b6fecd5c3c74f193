"""The environment variables that name a credential, as the vendors' own tools read them: one table.

Sources, by key. TC-CLI: github TencentCloud/tencentcloud-cli @6e53beb, ``tccli/options_define.py``; TC-TF: github
tencentcloudstack/terraform-provider-tencentcloud, ``website/docs/index.html.markdown``; TC-1278: Tencent Cloud
document 1278/85305; HW-SDK: huaweicloudsdkcore 3.1.219, ``auth/provider.py``; HW-TF: github
huaweicloud/terraform-provider-huaweicloud, ``docs/index.md``; OTC-TF: github
opentelekomcloud/terraform-provider-opentelekomcloud, ``docs/index.md``; OTC-GO: github
opentelekomcloud/gophertelekomcloud @30e3307, ``openstack/loader.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from calloff.apis import APIS, ApiName
from calloff.credential_sources.members import SECRET_OR_IDENTITY, Members
from calloff.errors import InvalidInputError

OWN = "CALLOFF_*"
_DLI: tuple[ApiName, ...] = ("otc-dli", "huaweicloud-dli")


@dataclass(frozen=True, slots=True)
class VariableSet:
    """The variables that one family of tools reads; of several names of one thing any may be set.

    ``after_cloud`` says that a cloud named by ``OS_CLOUD`` comes first, as it does in openstacksdk.
    """

    name: str
    apis: tuple[ApiName, ...]
    variables: Mapping[str, tuple[str, ...]]
    after_cloud: bool = False

    def set_here(self, environment: Mapping[str, str]) -> list[str]:
        """List the variables of the credential itself that have a value."""
        names = [name for member in SECRET_OR_IDENTITY for name in self.variables.get(member, ())]
        return [name for name in names if environment.get(name)]

    def read(self, environment: Mapping[str, str]) -> Members:
        """Return what the variables say; raise InvalidInputError where two names of one thing differ."""
        values: dict[str, str] = {}
        names: dict[str, str] = {}
        for member, aliases in self.variables.items():
            given = [name for name in aliases if environment.get(name)]
            if len({environment[name] for name in given}) > 1:
                raise InvalidInputError(
                    f"{' and '.join(given)} are names of one thing and differ; set one of them"
                )
            names[member] = given[0] if given else aliases[0]
            if given:
                values[member] = environment[given[0]]
        return Members(values, names)


def _variables(*rows: str) -> Mapping[str, tuple[str, ...]]:
    """Read rows of a member and the names of its variables."""
    words = [row.split() for row in rows]
    return MappingProxyType({member: tuple(names) for member, *names in words})


VARIABLE_SETS = (
    VariableSet(
        OWN,
        tuple(APIS),
        _variables(  # the names that calloff verify reads, and places
            "access_key CALLOFF_ACCESS_KEY",
            "secret_key CALLOFF_SECRET_KEY",
            "security_token CALLOFF_SECURITY_TOKEN",
            "token CALLOFF_TOKEN",
            "project_id CALLOFF_PROJECT_ID",
            "region CALLOFF_REGION",
        ),
    ),
    VariableSet(
        "TENCENTCLOUD_*",
        ("tencent-ci",),
        _variables(
            "access_key TENCENTCLOUD_SECRET_ID",  # TC-CLI, TC-TF, TC-1278
            "secret_key TENCENTCLOUD_SECRET_KEY",  # TC-CLI, TC-TF, TC-1278
            # TC-CLI reads the first, TC-TF the second; tools around them set the third.
            "security_token TENCENTCLOUD_TOKEN TENCENTCLOUD_SECURITY_TOKEN TENCENTCLOUD_SESSION_TOKEN",
            "region TENCENTCLOUD_REGION",  # TC-CLI, TC-TF
        ),
    ),
    VariableSet(
        "HUAWEICLOUD_SDK_*",
        ("huaweicloud-dli",),
        _variables(  # HW-SDK; it reads no region
            "access_key HUAWEICLOUD_SDK_AK",
            "secret_key HUAWEICLOUD_SDK_SK",
            "security_token HUAWEICLOUD_SDK_SECURITY_TOKEN",
            "project_id HUAWEICLOUD_SDK_PROJECT_ID",
        ),
    ),
    VariableSet(
        "HW_*",
        ("huaweicloud-dli",),
        _variables(  # HW-TF
            "access_key HW_ACCESS_KEY",
            "secret_key HW_SECRET_KEY",
            "security_token HW_SECURITY_TOKEN",
            "region HW_REGION_NAME",
        ),
    ),
    VariableSet(
        "OS_*",
        _DLI,
        _variables(  # OTC-TF, OTC-GO; both clouds' IAM answers as Keystone does
            "token OS_TOKEN OS_AUTH_TOKEN",
            "access_key OS_ACCESS_KEY OS_ACCESS_KEY_ID OS_AK",
            "secret_key OS_SECRET_KEY OS_ACCESS_KEY_SECRET OS_SK",
            "security_token OS_SECURITY_TOKEN OS_AKSK_SECURITY_TOKEN",
            "user OS_USERNAME",
            "password OS_PASSWORD",
            "domain OS_USER_DOMAIN_NAME OS_DOMAIN_NAME",
            "iam_url OS_AUTH_URL",
            "project_id OS_PROJECT_ID OS_TENANT_ID",
            "project_name OS_PROJECT_NAME OS_TENANT_NAME",
            "region OS_REGION_NAME OS_REGION",
        ),
        after_cloud=True,
    ),
)
