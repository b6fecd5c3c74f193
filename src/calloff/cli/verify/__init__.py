"""``calloff verify``: parses, finds the target, and does one of the things that can be done with it."""

from __future__ import annotations

import os
import sys
from typing import Any

import click
import cloup

from calloff.cli.extras import require_extra
from calloff.cli.verify.options import Options, options


@cloup.command(
    "verify",
    context_settings={"max_content_width": 100},
    epilog="Exit status: 0 conforms, 1 a MUST is violated, 2 wrong usage, 3 could not verify.",
)
@options
def command(**given: Any) -> None:
    """Prove that a server cancels as its contract says.

    Either --mock, or --api and --base-url of the server under test. Without --provider-states or --jobs the server
    supplies no jobs, and what needs one is skipped visibly.
    """
    opts = Options(**given)
    try:
        require_extra("verify")
        opts.check()
        sys.exit(_do(opts))
    except KeyboardInterrupt:
        # Not while checks ran: the run ends by itself then, and is reported.
        click.echo("calloff: could not verify: interrupted", err=True)
        sys.exit(3)


def _do(opts: Options) -> int:
    from calloff.cli.verify import modes

    # A terminal that cannot show a character shows another; the report must not fail over it.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    if opts.list_requirements:
        return modes.list_requirements(opts)
    _keep_tables_with_the_user()
    if opts.self_check:
        return modes.self_check(opts)
    if not opts.has_target:
        return modes.compare_with_last(opts)
    if opts.check_target:
        return modes.check_target(opts)
    if opts.dry_run:
        return modes.dry_run(opts)
    from calloff.cli.verify.run import verify

    return verify(opts)


def _keep_tables_with_the_user() -> None:
    """Let Hypothesis keep its tables of characters in the user's cache, not in the folder a run happens to start in.

    Where it finds none it makes them anew, which takes longer than most layers of the suite.
    """
    from platformdirs import user_cache_path

    os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(user_cache_path("calloff") / "hypothesis"))
