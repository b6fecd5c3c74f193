"""The arguments and options of ``calloff cancel``, in groups, and what of them goes together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
from cloup import argument, option, option_group

from calloff.apis import APIS, ApiName, Operation
from calloff.cli.connection import ConnectionOptions, connection_options, credential_options
from calloff.errors import InvalidInputError

if TYPE_CHECKING:
    from calloff.cli.cancel.ids import Format as IdsFormat
    from calloff.cli.cancel.output import Format

_FILE = click.Path(dir_okay=False, path_type=Path)


def _complete_operation(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Offer the operations of the API that stands before, or of all while none does."""
    api = ctx.params.get("api")
    names = dict.fromkeys(name for one in APIS.values() if api in {None, one.name} for name in one.operations)
    return [name for name in names if name.startswith(incomplete)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was given on the command line; the names are those of the options."""

    api: ApiName | None
    operation: str | None
    job_ids: tuple[str, ...]
    ids: str | None
    ids_format: IdsFormat | None
    column: str | None
    field: str | None
    skip_invalid: bool
    dry_run: bool
    yes: bool
    wait: bool
    wait_timeout: float
    concurrency: int
    rate: float
    give_up_after: int
    journal: Path | None
    resume: Path | None
    force_resume: bool
    output: Format
    quiet: bool
    connection: ConnectionOptions

    def check(self) -> None:
        """Raise InvalidInputError where options do not go together, or a number is none."""
        for name, value in (("--rate", self.rate), ("--wait-timeout", self.wait_timeout)):
            if not math.isfinite(value):
                raise InvalidInputError(f"{name} must be a finite number; got {value}")
        if self.resume:
            given = {
                "ids": bool(self.job_ids),
                "--ids": self.ids is not None,
                "--journal": self.journal is not None,
            }
            if wrong := [name for name, there in given.items() if there]:
                raise InvalidInputError(
                    f"--resume takes its ids from the journal and goes on in it; leave out {' and '.join(wrong)}"
                )
        elif self.api is None or self.operation is None:
            missing = "an OPERATION" if self.api else "an API and an OPERATION"
            raise InvalidInputError(f"give {missing}: {_choices(self.api)}; or --resume a run that stopped")
        elif bool(self.job_ids) == (self.ids is not None):
            what = "not both" if self.job_ids else "such as: calloff cancel ... --ids FILE"
            raise InvalidInputError(f"give ids as arguments or in a file with --ids, {what}")
        if self.ids is None and (self.ids_format or self.column or self.field):
            raise InvalidInputError(
                "--ids-format, --column and --field tell how to read --ids; give that too"
            )
        if self.force_resume and not self.resume:
            raise InvalidInputError("--force-resume goes with --resume")
        if self.dry_run and self.output != "table":
            raise InvalidInputError("--dry-run has no outcomes to write; leave out --output")

    def chosen(self) -> Operation | None:
        """Return the operation that was named, None where none was.

        Raises:
            InvalidInputError: the API has no such operation.
        """
        if self.api is None or self.operation is None:
            return None
        try:
            return APIS[self.api].operations[self.operation]
        except KeyError:
            raise InvalidInputError(
                f"no operation {self.operation!r}; there are: {_choices(self.api)}"
            ) from None


def _choices(api: ApiName | None) -> str:
    return ", ".join(
        f"{one.name} {name}" for one in APIS.values() if api in {None, one.name} for name in one.operations
    )


_OWN: tuple[Callable[[Any], Any], ...] = (
    argument("api", required=False, type=click.Choice(list(APIS)), metavar="API"),
    argument("operation", required=False, metavar="OPERATION", shell_complete=_complete_operation),
    argument("job_ids", nargs=-1, metavar="[ID]..."),
    option_group(
        "Which jobs",
        option("--ids", metavar="FILE", help="Read ids from this file; - is the standard input."),
        option(
            "--ids-format",
            type=click.Choice(["plain", "csv", "jsonl"]),
            help="How to read it: an id a line (# begins a comment), CSV, or JSON lines. Without, as its suffix says.",
        ),
        option("--column", metavar="NAME", help="Column of CSV that holds the ids, job_id without."),
        option("--field", metavar="NAME", help="Member of JSON lines that holds the id, job_id without."),
        option(
            "--skip-invalid", is_flag=True, help="Leave out what cannot be an id, instead of sending nothing."
        ),
    ),
    option_group(
        "Before anything is sent",
        option("--dry-run", is_flag=True, help="Show what would be sent, where and as whom; send nothing."),
        option("-y", "--yes", is_flag=True, help="Do not ask before cancelling more than 5 jobs."),
    ),
    option_group(
        "How it is done",
        option("--wait", is_flag=True, help="Wait until each job has ended, as its status says."),
        option(
            "--wait-timeout",
            default=300.0,
            show_default=True,
            metavar="SECONDS",
            type=click.FloatRange(0, 86_400, min_open=True),
            help="How long to wait for each.",
        ),
        option(
            "--concurrency",
            default=32,
            show_default=True,
            metavar="N",
            type=click.IntRange(1, 1_000),
            help="Requests under way at a time.",
        ),
        option(
            "--rate",
            default=150.0,
            show_default=True,
            metavar="N",
            type=click.FloatRange(0),
            help="Requests a second at most, 0 for no limit. The gateway of DLI lets 200 a second through to each "
            "API; the default leaves room for others.",
        ),
        option(
            "--give-up-after",
            default=20,
            show_default=True,
            metavar="N",
            type=click.IntRange(1, 1_000_000),
            help="Failures in a row that end the run; the API's refusals are none.",
        ),
    ),
    option_group(
        "A run that can be resumed",
        option(
            "--journal",
            type=_FILE,
            metavar="FILE",
            help="Keep the journal of the run in this new file. Without, a run of more than 5 jobs keeps one in the "
            "user's state folder, until every job was cancelled or refused.",
        ),
        option(
            "--resume",
            type=_FILE,
            metavar="FILE",
            help="Go on with the run of this journal, under the same options; needs no API, OPERATION and ids.",
        ),
        option(
            "--force-resume",
            "force_resume",
            is_flag=True,
            help="With --resume: also against another server, or as somebody else, than the run began.",
        ),
    ),
    option_group(
        "Output",
        option(
            "--output",
            default="table",
            show_default=True,
            type=click.Choice(["table", "json", "jsonl", "csv"]),
            help="How to write the outcomes; the table holds those that need a look.",
        ),
        option(
            "-q", "--quiet", is_flag=True, help="Show no progress and no notes, only outcomes and errors."
        ),
    ),
)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """Give *command* every argument and option, in groups."""
    decorated: Any = command
    for decorate in reversed((*_OWN[:5], connection_options, credential_options, *_OWN[5:])):
        decorated = decorate(decorated)
    return cast("Callable[..., None]", decorated)
