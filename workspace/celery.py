"""The Celery program: queues, what is safe when a worker is killed, and the rooms' upkeep by the clock."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from celery import Celery
from celery.signals import beat_init, worker_process_init, worker_ready, worker_shutdown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workspace.settings")

from django.conf import settings

from workspace.installation import notify, processes

QUEUES = ("control", "git", "sql", "score", "train")

app = Celery("boathouse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.update(
    task_default_queue="control",
    task_queues={name: {} for name in QUEUES},
    # A message is a hint and may come twice or never: rows decide. So it is given back when its worker dies.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    task_ignore_result=True,
    accept_content=["json"],
    task_serializer="json",
    # Steps last a minute at most; both limits lie below the time after which Redis gives a message out again.
    task_soft_time_limit=90,
    task_time_limit=100,
    broker_connection_retry_on_startup=True,
    broker_transport_options={
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_keepalive": True,
    },
    beat_scheduler="django_celery_beat.schedulers:DatabaseScheduler",
)
app.autodiscover_tasks()


@app.on_after_finalize.connect
def schedule_upkeep(sender: Celery, **_: Any) -> None:
    """Take each room's `UPKEEP = {"room.task": seconds}` from its tasks.py into the clock."""
    for room in settings.INSTALLED_APPS:
        if not room.startswith("apps.") or find_spec(f"{room}.tasks") is None:
            continue
        for task, seconds in getattr(import_module(f"{room}.tasks"), "UPKEEP", {}).items():
            # What was not picked up in time is dropped: the next one does the same work.
            entry = {"task": task, "schedule": seconds, "options": {"expires": max(30, 2 * seconds)}}
            sender.conf.beat_schedule[task] = entry


@worker_ready.connect
def say_worker_is_ready(sender: Any, **_: Any) -> None:
    from apps.jobs.workers import Pulse

    pulse = Pulse(sender.hostname, app.amqp.queues.consume_from, sender.pool.limit or 1)
    worker_shutdown.connect(lambda **_: pulse.stop(), weak=False)
    notify.tell("READY=1")


@beat_init.connect
def say_beat_is_ready(**_: Any) -> None:
    notify.tell("READY=1")


@worker_process_init.connect
def end_with_the_worker(**_: Any) -> None:
    """A killed worker's children go at once: nobody else would hold them to their time limits."""
    processes.die_with_parent()
