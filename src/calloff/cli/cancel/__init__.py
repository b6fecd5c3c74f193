"""``calloff cancel``: takes ids, asks, cancels, and says what became of each job."""

from __future__ import annotations

import sys
from typing import Any

import cloup

from calloff.cli.cancel.options import Options, options
from calloff.cli.connection import ConnectionOptions
from calloff.cli.extras import require_extra

_EPILOG = """\b
Examples:
  calloff cancel otc-dli cancelSqlJob 0a1b2c3d-1111-2222-3333-444455556666 --wait
  calloff cancel otc-dli cancelBatchJob --ids jobs.csv --column id --dry-run
  jq -r .id jobs.json | calloff cancel tencent-ci cancelAiJob --ids - --yes --output jsonl
  calloff cancel --resume cancelled.journal

\b
Exit status:
  0    every job is cancelled
  1    some were refused, or it is unknown what became of them
  2    wrong usage or configuration; nothing was sent
  3    could not run, or stopped early: some were not sent
  130  interrupted (143 by SIGTERM)

An accepted cancel counts as cancelled; --wait looks until the job has ended.
"""


@cloup.command("cancel", context_settings={"max_content_width": 100}, epilog=_EPILOG)
@options
def command(**given: Any) -> None:
    """Cancel jobs, one or a hundred thousand, and say what became of each.

    API and OPERATION name what is called, as in: otc-dli cancelSqlJob. The ids stand after them, or in a file (--ids).
    Each ends as cancelled, refused (with the service's code and reason), unknown (sent, and no answer or state
    tells) or not-sent.
    """
    opts = Options(connection=ConnectionOptions.take(given), **given)
    opts.check()
    require_extra("bulk")
    from calloff.cli.cancel.run import cancel

    # A terminal that cannot show a character shows another; the outcomes must not be lost over it.
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    sys.exit(cancel(opts))
