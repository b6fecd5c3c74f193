"""Cancel the jobs in the file more.txt, without an event loop; killed and run again, it goes on where it stopped."""

import os
import sys
from pathlib import Path

from calloff import AccessKey, OtcDliClient, cancel_all
from calloff.bulk.journal import Journal, JournalHeader

PLACE = Path("program.journal")
client = OtcDliClient(
    region="eu-de",
    project_id=os.environ["CALLOFF_PROJECT_ID"],
    credentials=AccessKey(os.environ["CALLOFF_ACCESS_KEY"], os.environ["CALLOFF_SECRET_KEY"]),
    base_url=os.environ.get("DLI_URL"),
)


def opened() -> Journal:
    """Go on with the journal of an earlier run, or begin one."""
    if PLACE.exists():
        return Journal.open(PLACE)
    header = JournalHeader(
        operation="otc-dli/cancelSqlJob",
        endpoint=os.environ.get("DLI_URL", "eu-de"),
        project_id=os.environ["CALLOFF_PROJECT_ID"],
        identity="the nightly job",
    )
    return Journal.create(PLACE, header)


with client, opened() as journal:
    for outcome in cancel_all(client, "cancelSqlJob", Path("more.txt").read_text().split(), journal=journal):
        if outcome.result != "cancelled":
            sys.stderr.write(f"{outcome.job_id} {outcome.result}: {outcome.reason}\n")
    sys.stdout.write(f"{dict(journal.totals())}\n")
