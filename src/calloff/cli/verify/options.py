"""The options of ``calloff verify``, in groups, and what of them goes together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource
from cloup import option, option_group

from calloff.apis import APIS
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

_FILE = click.Path(dir_okay=False, path_type=Path)
_REFERENCE = "env:NAME or file:PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was given on the command line; the names are those of the options."""

    mock: bool
    apis: tuple[str, ...]
    base_url: str | None
    host: str | None
    project_id: str | None
    ca_file: Path | None
    provider_states: str | None
    jobs: Path | None
    credentials: Path | None
    access_key: str | None
    secret_key: str | None
    security_token: str | None
    token: str | None
    operations: tuple[str, ...]
    only: tuple[str, ...]
    level: str | None
    layers: tuple[str, ...]
    case: str | None
    budget: str
    seed: int
    workers: int | None
    settle: float
    timeout: float
    strict: bool
    expectations: Path | None
    live: bool
    rate: float | None
    max_requests: int | None
    max_seconds: float | None
    list_requirements: bool
    check_target: bool
    dry_run: bool
    self_check: bool
    full: bool
    seeds: int | None
    report_dir: Path
    profile: Path | None
    compare: Path | None
    dialect: tuple[str, ...]
    mutant: str | None

    @property
    def has_target(self) -> bool:
        """Tell whether a server to verify is named."""
        return self.mock or self.base_url is not None

    @property
    def writes_reports(self) -> bool:
        """Tell whether a run writes report files; a case sent again leaves those that name it as they are."""
        return self.case is None or _on_the_command_line("report_dir")

    def check(self) -> None:
        """Raise InvalidInputError where options do not go together."""
        alone = {
            "--list": self.list_requirements,
            "--self-check": self.self_check,
            "--check-target": self.check_target,
            "--dry-run": self.dry_run,
        }
        chosen = [name for name, given in alone.items() if given]
        if len(chosen) > 1:
            raise InvalidInputError(f"{' and '.join(chosen)} do different things; give one of them")
        if (self.full or self.seeds) and not self.self_check:
            raise InvalidInputError("--full and --seeds belong to --self-check")
        if self.list_requirements:
            _refuse_all_but("list_requirements", "apis", "operations", "only", "level", "report_dir")
        if self.self_check:
            _refuse_all_but("self_check", "full", "seeds", "workers", "report_dir")
        if self.mock and self.base_url:
            raise InvalidInputError("give either --mock or --base-url; see calloff verify --help")
        if not (self.has_target or chosen or self.compare):
            raise InvalidInputError(
                "give either --mock or --base-url (with --api); see calloff verify --help"
            )
        if (self.dialect or self.mutant) and not self.mock:
            raise InvalidInputError(
                "--dialect and --mutant bend the embedded mock; give them with --mock, or to calloff mock"
            )
        if self.mock and (foreign := self._foreign_to_the_mock()):
            raise InvalidInputError(
                f"{', '.join(foreign)} describe the server at --base-url; the mock has its own"
            )
        if self.live and (self.workers or 1) > 1:
            raise InvalidInputError("--live sends one request at a time; leave out --workers")

    def _foreign_to_the_mock(self) -> list[str]:
        names = (
            *("host", "project_id", "ca_file", "provider_states", "jobs", "credentials"),
            *("access_key", "secret_key", "security_token", "token", "live"),
        )
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name)]


def _refuse_all_but(first: str, *meant: str) -> None:
    """Raise InvalidInputError where the command line holds another option, which would do nothing."""
    context = click.get_current_context()
    names = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    for name, written in names.items():
        if _on_the_command_line(name or "") and name not in {first, *meant}:
            raise InvalidInputError(
                f"{names[first]} needs no server, and has no use for {written}; leave it out"
            )


def _on_the_command_line(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


_GROUPS = (
    option_group(
        "The server under test",
        option("--mock", is_flag=True, help="Verify the embedded mock, all five operations."),
        option(
            "--api",
            "apis",
            multiple=True,
            type=click.Choice(list(APIS)),
            help="The API to verify; with --mock repeatable.",
        ),
        option("--base-url", metavar="URL", help="Where the server under test listens, http or https."),
        option("--host", metavar="HOST", help="Host header to send, where it differs from the base URL's."),
        option("--project-id", metavar="ID", help="The project that the credentials belong to (DLI)."),
        option(
            "--ca-file", type=_FILE, help="Certificates of the authority that the server's is from (PEM)."
        ),
    ),
    option_group(
        "Jobs",
        option("--provider-states", metavar="URL", help="Where the server supplies jobs in a wanted state."),
        option("--jobs", type=_FILE, help="Ids of jobs per state (TOML), instead of provider states."),
    ),
    option_group(
        "Credentials",
        option(
            "--credentials", type=_FILE, help="Credentials (TOML); secrets in it are env:NAME or file:PATH."
        ),
        option("--access-key", metavar="ID", help="Access key, or secret id."),
        option("--secret-key", metavar="REF", help=f"Where the secret key is: {_REFERENCE}."),
        option("--security-token", metavar="REF", help=f"Where a temporary key's token is: {_REFERENCE}."),
        option("--token", metavar="REF", help=f"Where an X-Auth-Token is: {_REFERENCE}."),
        help="Options come before the file, the file before CALLOFF_ACCESS_KEY, CALLOFF_SECRET_KEY, "
        "CALLOFF_SECURITY_TOKEN and CALLOFF_TOKEN, these before the provider states.",
    ),
    option_group(
        "What is verified",
        option(
            "--operation", "operations", multiple=True, metavar="NAME", help="This operation; repeatable."
        ),
        option(
            "--only", multiple=True, metavar="ID", help="This requirement; repeatable. --list shows them."
        ),
        option("--level", type=click.Choice(["MUST", "SHOULD"]), help="MUST leaves the SHOULD ones out."),
        option(
            "--layer",
            "layers",
            multiple=True,
            type=click.Choice(["table", "races", "protocol", "model", "fuzz"]),
            help="This layer; repeatable.",
        ),
        option(
            "--case",
            metavar="ID",
            help="Only the case of that id, as a report names it; no report files without --report-dir.",
        ),
        option(
            "--budget",
            type=click.Choice(["quick", "standard", "deep"]),
            default="standard",
            show_default=True,
            help="How much is tried.",
        ),
        option("--seed", default=0, show_default=True, help="Of ids and of the random layers."),
        option(
            "--workers",
            metavar="N",
            type=click.IntRange(1, 64),
            help="Requests under way at a time, 1 without; with --self-check processes, one per CPU without.",
        ),
        option(
            "--settle",
            default=2.0,
            show_default=True,
            metavar="SECONDS",
            type=click.FloatRange(0, 3600),
            help="How long an accepted cancel may take to show.",
        ),
        option(
            "--timeout",
            default=10.0,
            show_default=True,
            metavar="SECONDS",
            type=click.FloatRange(0.1, 3600),
            help="How long an answer may take.",
        ),
        option("--strict", is_flag=True, help="A violated SHOULD counts too."),
        option("--expectations", type=_FILE, help="Known failures with reason and expiry date (TOML)."),
    ),
    option_group(
        "A live service",
        option("--live", is_flag=True, help="Allow a vendor's host; only given or made-up job ids are sent."),
        option(
            "--rate",
            metavar="N",
            type=click.FloatRange(0, min_open=True),
            help="Requests per second at most; 5 with --live.",
        ),
        option(
            "--max-requests", metavar="N", type=click.IntRange(1), help="Requests at most; 1500 with --live."
        ),
        option(
            "--max-seconds",
            metavar="N",
            type=click.FloatRange(0, min_open=True),
            help="Seconds at most; 900 with --live.",
        ),
    ),
    option_group(
        "Instead of verifying",
        option(
            "--list", "list_requirements", is_flag=True, help="List the requirements and what proves them."
        ),
        option("--check-target", is_flag=True, help="See whether the server can be verified, and with what."),
        option("--dry-run", is_flag=True, help="List every request that would be sent, and send none."),
        option(
            "--self-check",
            is_flag=True,
            help="Prove the suite: every wrong server found, no right one blamed.",
        ),
        option("--full", is_flag=True, help="With --self-check: every layer by itself, pairs of dialects."),
        option("--seeds", metavar="N", type=click.IntRange(1), help="With --self-check: seeds per dialect."),
    ),
    option_group(
        "Reports",
        option(
            "--report-dir",
            type=click.Path(file_okay=False, path_type=Path),
            default=Path("calloff-report"),
            show_default=True,
            help="Where report.json, report.html, junit.xml and summary.md go.",
        ),
        option(
            "--profile", type=_FILE, help="Write what the server chose where the vendor is silent (JSON)."
        ),
        option(
            "--compare", type=_FILE, metavar="OLD.json", help="Show what changed since an earlier report."
        ),
    ),
    option_group(
        "The embedded mock",
        option("--dialect", multiple=True, metavar="POINT=CHOICE", help="As of calloff mock; repeatable."),
        option("--mutant", metavar="NAME", help="As of calloff mock."),
    ),
)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* every option, in groups."""
    decorated: Any = command
    for group in reversed(_GROUPS):
        decorated = group(decorated)
    return decorated  # type: ignore[no-any-return]
