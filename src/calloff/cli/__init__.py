"""The command line: parses, calls, prints. One module per command, loaded when its command runs."""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

_COMMANDS = {
    "cancel": "Cancel jobs, one or a hundred thousand, and say what became of each.",
    "mock": "Serve the APIs on this machine, with job state and signature checks.",
    "spec": "Show where the installed documents are.",
    "verify": "Prove that a server cancels as its contract says.",
    "whoami": "Show which credential would be used, and where it comes from.",
}


_STANDARD_ERROR = 2  # the number of its descriptor
INTERRUPTED = 130  # as shells say it: 128 and SIGINT's number


class _LazyGroup(click.Group):
    """Loads a command's module when the command is asked for, so that --help stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = import_module(f"calloff.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""Example: calloff verify --mock

    Completion of commands, options and names in bash (zsh and fish: the same with their names):
    eval "$(_CALLOFF_COMPLETE=bash_source calloff)"
    """,
)
@click.version_option(package_name="calloff")
def group() -> None:
    """Cancel cloud jobs safely, and prove that a server cancels as its contract says."""


def _fill_closed_streams() -> None:
    """Let what is written to a closed stream go nowhere, and no file or connection take its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(number)
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - to the end
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - to the end


def main() -> None:
    """Run the command line; what calloff raises on purpose becomes one sentence and exit status 2."""
    from calloff.errors import CalloffError

    _fill_closed_streams()
    try:
        # Not standalone: Ctrl-C would end in a word and the status of a violated contract.
        sys.exit(group(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        click.echo("calloff: interrupted", err=True)
        sys.exit(INTERRUPTED)
    except CalloffError as error:
        click.echo(f"calloff: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:
        # The reader of our output has gone, as in `calloff ... | head`.
        sys.stderr.close()
        sys.exit(1)
