"""Cancel the jobs whose ids stand on the standard input, one per line, and write what became of each as CSV."""

import asyncio
import csv
import os
import sys
from contextlib import aclosing

from calloff import AccessKey, AsyncOtcDliClient, cancel_many


async def main() -> None:
    """Cancel them, at most 32 at a time and 150 a second."""
    client = AsyncOtcDliClient(
        region="eu-de",
        project_id=os.environ["CALLOFF_PROJECT_ID"],
        credentials=AccessKey(os.environ["CALLOFF_ACCESS_KEY"], os.environ["CALLOFF_SECRET_KEY"]),
        base_url=os.environ.get("DLI_URL"),  # None: the vendor's own
    )
    ids = (line.strip() for line in sys.stdin)  # pulled as they are needed
    write = csv.writer(sys.stdout, lineterminator="\n").writerow
    async with client, aclosing(cancel_many(client, "cancelSqlJob", ids)) as outcomes:
        async for outcome in outcomes:
            write([outcome.job_id, outcome.result, outcome.code, outcome.reason])


asyncio.run(main())
