"""Pages of jobs: the list with what waits, a job, its runs with their logs, workers and queues."""

from apps.jobs.pages.job import detail, history, new, parse_line, settings, start
from apps.jobs.pages.listing import act, list_jobs
from apps.jobs.pages.log import log
from apps.jobs.pages.run import again, cancel, retry, run
from apps.jobs.pages.workers import workers

__all__ = [
    "act",
    "again",
    "cancel",
    "detail",
    "history",
    "list_jobs",
    "log",
    "new",
    "parse_line",
    "retry",
    "run",
    "settings",
    "start",
    "workers",
]
