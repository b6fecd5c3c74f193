"""What the project promises about itself: snippets that run, locks that pin, rules that files keep."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
import yaml
from defusedxml import ElementTree
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from calloff.mock.server import run_embedded

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PEERS = ROOT / "contract_tests" / "peers"
NPM = (ROOT, PEERS / "node")


def snippets(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize(
    ("snippet", "printed"),
    [
        (0, r"accepted \S*\nthe job is now CANCELLED\n"),
        (1, r"{job_id} cancelled\s*\n"),
    ],
)
def test_a_snippet_cancels_a_job_of_the_mock(snippet: int, printed: str) -> None:
    code = snippets("python")[snippet]
    with run_embedded(["otc-dli"]) as server:
        api = server.announcement["apis"]["otc-dli"]
        states = server.announcement["provider_states_url"]
        wanted = {"api": "otc-dli", "operation": "cancelSqlJob", "state": "RUNNING", "owner": "self"}
        job_id = post_json(f"{states}/jobs", wanted)["job_id"]
        for old, new in (
            ("48cc2c48765f481480c7db940d6409d1", api["project_id"]),
            ("6d2146a0-c2d5-41bd-8ca0-ca9694ada992", job_id),
            ('"access key", "secret key"', "{access_key!r}, {secret_key!r}".format(**api["credentials"])),
            ('region="eu-de",', f'region="eu-de", base_url={api["base_url"]!r},'),
        ):
            assert old in code
            code = code.replace(old, new)

        result = run_python(code)

    assert result.stderr == ""
    assert re.fullmatch(printed.replace("{job_id}", job_id), result.stdout)


def post_json(url: str, data: dict[str, str]) -> dict[str, str]:
    import httpx

    answer: dict[str, str] = httpx.post(url, json=data, trust_env=False).json()
    return answer


def test_the_last_snippet_refuses_a_dot_segment() -> None:
    result = run_python(snippets("python")[-1])

    assert result.stderr == ""
    assert ".." in result.stdout


def test_the_snippet_for_ci_verifies_the_mock(tmp_path: Path) -> None:
    script = textwrap.dedent(snippets("sh")[0]).replace("calloff mock", "calloff mock --port 18600")
    script = script.replace("127.0.0.1:8602", "127.0.0.1:18602").replace(
        "calloff verify", "calloff verify --layer races"
    )
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    result = subprocess.run(
        ["bash", "-c", f"trap 'kill $(jobs -p)' EXIT\nset -e\n{script}"],
        cwd=tmp_path,
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert json.loads((tmp_path / "calloff-report" / "report.json").read_text())["exit_status"] == 0


def test_the_two_commands_install_what_there_is() -> None:
    first, second = (line.removeprefix("$ ").split(" && ") for line in snippets("console")[0].splitlines())

    assert first[0] == "pip install '.[all]'"
    assert "all" in PYPROJECT["project"]["optional-dependencies"]
    assert second == ["pip install 'nox[uv]'", "nox"]


def test_every_command_of_the_snippets_exists() -> None:
    main_job = snippets("console")[0].splitlines()[0].split(" && ")[1]
    for line in [main_job, *snippets("sh")[1].splitlines()]:
        words = line.partition("#")[0].split()
        result = run_python(
            f"import sys; sys.argv = {[*words, '--help']!r}; from calloff.cli import main; main()"
        )
        assert result.returncode == 0, result.stderr


def test_the_table_of_operations_is_the_table_in_the_code() -> None:
    from calloff.apis import OPERATIONS

    rows = re.findall(r"^\| \d \| `([^`]+)` \| `([^`]+)` \| `(\w+) ([^`]+)` \|$", README, re.MULTILINE)

    assert rows == [
        (op.api, op.name, op.method, op.path + (f"?{op.query}" if op.query else ""))
        for op in OPERATIONS.values()
    ]


def test_every_client_requirement_is_proven_by_a_marked_test() -> None:
    catalogue = yaml.safe_load((ROOT / "spec" / "requirements.yaml").read_text(encoding="utf-8"))
    wanted = {row["id"] for row in catalogue["requirements"] if row["binds"] == "client"}
    marked = {
        node.args[0].value
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "requirement"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }

    assert marked == wanted


@pytest.mark.parametrize("path", sorted((ROOT / "contract_tests").rglob("*.py")), ids=lambda path: path.name)
def test_contract_tests_reach_servers_over_http_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    allowed = r"calloff\.(apis|contract|errors|verify)(\..+)?"
    if "consumers" in path.parts:  # what people import: the root of calloff, and the generated packages
        allowed += r"|calloff|calloff_clients(\..+)?"

    own = {module for module in modules if module.split(".")[0].startswith("calloff")}
    assert {module for module in own if not re.fullmatch(allowed, module)} == set()


def test_the_rules_on_imports_stand() -> None:
    contracts = {contract["id"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
    mock, suite = contracts["mock-verifies-by-itself"], contracts["suite-has-its-own-wire"]

    assert {"layers", "signing-knows-no-http", "generated-is-private-to-clients"} <= contracts.keys()
    assert mock["source_modules"] == ["calloff.mock"]
    assert {"calloff.signing", "calloff.prepare", "calloff.clients"} <= set(mock["forbidden_modules"])
    assert suite["source_modules"] == ["calloff.verify"]
    assert {"calloff.mock", "calloff.transport", "calloff.clients"} <= set(suite["forbidden_modules"])


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_pins_by_hash_and_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9_.\[\]-]+)==", text, re.MULTILINE)

    assert pins
    assert "://" not in text
    assert re.findall(r"^ *--(?!hash=sha256:)\S+", text, re.MULTILINE) == []  # such as --trusted-host
    for block in re.split(r"\n(?=[A-Za-z0-9])", text[text.index(pins[0]) :]):
        assert "--hash=sha256:" in block


@pytest.mark.parametrize("folder", NPM, ids=lambda folder: folder.name or "root")
def test_the_lock_of_npm_pins_by_hash_and_names_no_host(folder: Path) -> None:
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    installed = {path: package for path, package in packages.items() if path}
    settings = (folder / ".npmrc").read_text(encoding="utf-8")

    assert [path for path, package in installed.items() if "resolved" in package] == []
    assert [path for path, package in installed.items() if "integrity" not in package] == []
    for kind in ("dependencies", "devDependencies"):
        assert packages[""].get(kind, {}) == wanted.get(kind, {}), "run npm install"
    assert "omit-lockfile-registry-resolved=true" in settings
    assert "://" not in settings


def test_the_modules_of_the_go_peers_are_pinned_by_hash() -> None:
    text = (PEERS / "go" / "go.mod").read_text(encoding="utf-8")
    modules = re.findall(r"^\t(\S+) (v\S+)", text, re.MULTILINE)
    sums = (PEERS / "go" / "go.sum").read_text(encoding="utf-8").splitlines()

    assert {"github.com/huaweicloud/huaweicloud-sdk-go-v3", "github.com/tencentyun/cos-go-sdk-v5"} <= {
        name for name, _ in modules
    }
    assert "replace" not in text
    assert [line for line in sums if not re.fullmatch(r"\S+ v\S+ h1:[0-9A-Za-z+/]{43}=", line)] == []
    summed = {line.rpartition(" ")[0] for line in sums}
    assert [
        f"{name} {version}" for name, version in modules if f"{name} {version}/go.mod" not in summed
    ] == []


def test_the_artifacts_of_the_java_peers_are_pinned_and_name_no_host() -> None:
    text = (PEERS / "java" / "pom.xml").read_text(encoding="utf-8")
    namespace = "http://maven.apache.org/POM/4.0.0"
    artifacts = [
        artifact
        for kind in ("dependency", "plugin")
        for artifact in ElementTree.fromstring(text).iter(f"{{{namespace}}}{kind}")
    ]

    assert "://" not in text.replace(f'"{namespace}"', "")
    assert len(artifacts) == 4
    for artifact in artifacts:
        assert re.fullmatch(r"\d+(\.\d+)+", artifact.findtext(f"{{{namespace}}}version") or "")


def test_the_locks_hold_what_pyproject_asks_for() -> None:
    project, groups = PYPROJECT["project"], PYPROJECT["dependency-groups"]
    extras = project["optional-dependencies"]
    wanted = {
        "tests": [
            *project["dependencies"],
            *extras["mock"],
            *extras["verify"],
            *groups["tests"],
            *groups["generate"],
        ],
        "lint": groups["lint"],
        "types": [*extras["mock"], *extras["verify"], *groups["types"], *groups["tests"]],
        "generate": groups["generate"],
        "build": groups["build"],
    }
    for name, requirements in wanted.items():
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        pinned = dict(re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", text, re.MULTILINE))
        for requirement in map(Requirement, requirements):
            version = pinned.get(canonicalize_name(requirement.name))
            assert version is not None, (
                f"{requirement.name} is not in requirements/{name}.txt; run nox -s lock"
            )
            assert requirement.specifier.contains(version), (
                f"{requirement} against {version}; run nox -s lock"
            )
