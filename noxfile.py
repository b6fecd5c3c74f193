"""What a developer and CI run; ``nox --list`` is the manual."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True
nox.options.sessions = [
    "lint",
    "lint_documents",
    "drift",
    "types",
    "tests",
    "contract_tests",
    "peers",
    "consumers",
    "self_check",
    "docs",
    "compat",
    "bundle",
    "build",
]

ROOT = Path(__file__).parent
# Dependency groups of each requirement file; those that import calloff have its extras too.
LOCKS = {
    "audit": ("audit",),
    "build": ("build",),
    "bundle": ("bundle",),
    "docs": ("docs", "tests", "build"),
    "generate": ("generate",),
    "lint": ("lint",),
    "release": ("release",),
    "tests": ("tests", "generate", "build"),
    "types": ("types", "tests", "generate", "build", "docs"),
}
# Programs and tools of other languages; each file builds and runs those of one.
CONSUMERS = tuple(
    f"contract_tests/consumers/test_{name}.py"
    for name in ("typescript", "go", "java", "openapi30", "collections", "compat", "prism")
)
COVERAGE_FLOOR = "95"
ON_CI = bool(os.environ.get("CI"))


def install(session: nox.Session, lock: str, *, project: bool = False) -> None:
    """Install the pinned dependencies of *lock*, and the project itself in editable form."""
    session.install("--require-hashes", "-r", f"requirements/{lock}.txt")
    if project:
        session.install("--no-deps", "--no-build-isolation", "-e", ".")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, imports, the rules of the documents, and that nothing looks like a secret."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": "src:generated/python"})
    session.run("python", "scripts/check_spec.py")
    session.run("python", "scripts/check_secrets.py")


@nox.session(venv_backend="none")
def lint_documents(session: nox.Session) -> None:
    """Lint the documents with Redocly CLI and Spectral; skipped, and saying so, where Node is missing."""
    if not shutil.which("npm"):
        message = "Node.js with npm is not installed, so the documents are not linted"
        session.error(message) if ON_CI else session.skip(message)
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    session.run("npm", "ci", "--no-audit", "--no-fund", external=True)
    session.run("npm", "run", "--silent", "lint", external=True, env=quiet)


@nox.session
def generate(session: nox.Session) -> None:
    """Regenerate the clients from the documents; with -- --check only compare."""
    install(session, "generate")
    session.run("python", "scripts/generate.py", *session.posargs)


@nox.session
def drift(session: nox.Session) -> None:
    """Check that everything generated is what its source says."""
    install(session, "generate")
    session.run("python", "scripts/generate.py", "--check")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly: hand-written code, generated code, scripts and tests."""
    install(session, "types", project=True)
    session.run("mypy")
    session.run("mypy", "-p", "calloff_clients")
    session.run("mypy", "scripts", "contract_tests", "--exclude", "contract_tests/site")
    session.run("mypy", "contract_tests/site", "docs/site")
    session.run("mypy", "tests")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the unit tests and hold the branch coverage of src/ to its floor."""
    install(session, "tests", project=True)
    if session.posargs:
        session.run("pytest", *session.posargs)
        return
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-n", "2", "--dist", "worksteal", "-q")
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report", "--fail-under", COVERAGE_FLOOR)


@nox.session
def contract_tests(session: nox.Session) -> None:
    """Run the suite against the mock; -- --base-url URL --api NAME runs it against a server instead."""
    install(session, "tests", project=True)
    if any(argument.startswith("--base-url") for argument in session.posargs):
        session.run("pytest", "contract_tests/test_operations.py", *session.posargs)
        return
    others = [f"--ignore={path}" for path in ("contract_tests/peers", "contract_tests/site", *CONSUMERS)]
    options = (*others, "-n", "2", "--dist", "worksteal", "-q")
    session.run("pytest", "contract_tests", *options, *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Try the mock with the vendors' SDKs for Node, Go and Java; skipped, saying so, without their toolchain."""
    install(session, "tests", project=True)
    # In one process, which builds each program once.
    session.run("pytest", "contract_tests/peers", "-q", "-rs", *session.posargs)


@nox.session
def consumers(session: nox.Session) -> None:
    """Compile and run the programs in other languages against the mock; skipped, saying so, without toolchain."""
    install(session, "tests", project=True)
    session.run("pytest", *CONSUMERS, "-q", "-rs", *session.posargs)


@nox.session
def self_check(session: nox.Session) -> None:
    """Prove the suite: it finds every mutant, blames no dialect; -- --full each layer by itself, 100 seeds."""
    install(session, "tests", project=True)
    session.run("calloff", "verify", "--self-check", *session.posargs)


@nox.session
def oracles(session: nox.Session) -> None:
    """Compare the signers and verifiers with the official SDKs, 20,000 random requests per algorithm."""
    install(session, "tests", project=True)
    count = session.posargs[0] if session.posargs else "20000"
    session.run("pytest", "tests/peers", "-n", "2", env={"CALLOFF_ORACLE_COUNT": count})


@nox.session
def bench(session: nox.Session) -> None:
    """Measure side by side: clients and SDKs, the suite and plain schemathesis, the mock and Prism; needs Node.js."""
    install(session, "tests", project=True)
    session.run("python", "scripts/bench_clients.py")
    session.run("python", "scripts/bench_verify.py", *session.posargs)
    session.chdir("scripts/prism")
    session.run("npm", "ci", "--no-audit", "--no-fund", external=True)
    session.chdir(ROOT)
    session.run("python", "scripts/bench_mock.py")


@nox.session
def soak(session: nox.Session) -> None:
    """Kill the mock and bulk runs 50 times each, then send the mock a million good, bad and hostile requests."""
    install(session, "tests", project=True)
    session.run("python", "scripts/crash_cancel.py", "--times", "50")
    session.run("python", "scripts/crash_mock.py", "--times", "50")
    session.run("python", "scripts/soak_mock.py", *session.posargs)


def _out(session: nox.Session) -> Path:
    return Path(session.posargs[0]) if session.posargs else Path(session.create_tmp()) / "dist"


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site in build/site, and look at every page of it in Chromium; needs Node.js."""
    if not shutil.which("npm"):
        message = "Node.js with npm is not installed, so the site is not built"
        session.error(message) if ON_CI else session.skip(message)
    install(session, "docs", project=True)
    session.run("npm", "ci", "--prefix", "docs/site", "--no-audit", "--no-fund", external=True)
    session.run("python", "scripts/build_site.py")
    session.run("pytest", "contract_tests/site", "-n", "2", "-q", *session.posargs)


@nox.session
def bundle(session: nox.Session) -> None:
    """Write what teams of other languages pick up into a folder; -- FOLDER says which."""
    install(session, "bundle")
    session.run("python", "scripts/bundle.py", str(_out(session)))


@nox.session
def compat(session: nox.Session) -> None:
    """Refuse a breaking change of a document since the last release without a new major version; needs Go."""
    install(session, "bundle")
    session.run("python", "scripts/check_compat.py")


@nox.session
def build(session: nox.Session) -> None:
    """Build wheel and source archive twice, compare, look inside, and use the wheel under each Python there is."""
    install(session, "build")
    session.run("python", "scripts/build_dist.py", str(_out(session)))
    wheel = next(_out(session).glob("calloff-*.whl"))
    session.run(
        "python", "scripts/use_wheel.py", str(wheel), "requirements/tests.txt", *_interpreters(session)
    )


def _interpreters(session: nox.Session) -> list[str]:
    """Return one interpreter for each version that the package claims, and say which this machine lacks."""
    found = []
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for version in nox.project.python_versions(nox.project.load_toml()):
        named = shutil.which(f"python{version}")
        for interpreter in (named, *map(str, pyenv.glob(f"versions/{version}.*/bin/python"))):
            # What pyenv puts on the path may be there and not run.
            if interpreter and _runs(interpreter):
                found.append(interpreter)
                break
        else:
            session.warn(f"there is no Python {version} here, so the wheel is not tried with it")
    return found


def _runs(interpreter: str) -> bool:
    trial = subprocess.run([interpreter, "-c", ""], check=False, capture_output=True)  # noqa: S603
    return trial.returncode == 0


@nox.session
def release_check(session: nox.Session) -> None:
    """Write the bill of materials of a built wheel, and check licences; -- FOLDER of the wheel."""
    install(session, "release")
    if not session.posargs:
        session.run("python", "scripts/build_dist.py", str(_out(session)))
    session.run("python", "scripts/release_check.py", str(_out(session)))


@nox.session
def audit(session: nox.Session) -> None:
    """Look every pin up in the databases of vulnerabilities; says so, and fails, where one cannot be asked."""
    install(session, "audit")
    session.run("python", "scripts/audit.py")


@nox.session
def lock(session: nox.Session) -> None:
    """Pin every dependency by hash in requirements/; with -- --upgrade to the newest ones."""
    session.install("uv")
    for name, groups in LOCKS.items():
        options = [part for group in groups for part in ("--group", group)]
        options += ["--extra", "all"] if "tests" in groups else []
        session.run(
            *("uv", "pip", "compile", "pyproject.toml", *options, "--universal", "--python-version", "3.11"),
            *("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links", "--quiet"),
            *("--custom-compile-command", "nox -s lock", "--output-file", f"requirements/{name}.txt"),
            *session.posargs,
        )
