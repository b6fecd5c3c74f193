"""Load a server of your own with signed cancels: locust -f locustfile.py --headless --processes 2 --host URL."""

import os

from calloff import AccessKey, OtcDliClient
from calloff.load import CancelUser


class SqlJobs(CancelUser):
    """Cancels the jobs whose ids stand in jobs.txt."""

    operation = "cancelSqlJob"
    ids_file = "jobs.txt"

    def configured(self) -> OtcDliClient:
        """Say as whom."""
        return OtcDliClient(
            region="eu-de",
            project_id=os.environ["CALLOFF_PROJECT_ID"],
            credentials=AccessKey(os.environ["CALLOFF_ACCESS_KEY"], os.environ["CALLOFF_SECRET_KEY"]),
            base_url=self.host,
        )
