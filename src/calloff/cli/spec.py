"""calloff spec."""

from __future__ import annotations

import click

from calloff.errors import InvalidInputError
from calloff.resources import spec_path


@click.command("spec")
@click.argument("name", default="", metavar="[NAME]")
def command(name: str) -> None:
    """Show where the installed documents are.

    Without NAME the folder of the contract, with it the path of one file, such as otc-dli.openapi.yaml.
    """
    try:
        click.echo(spec_path(name))
    except ValueError as error:
        raise InvalidInputError(str(error)) from error
