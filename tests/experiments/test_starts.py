"""A run that a job's run key starts says where it came from, without its script saying so."""

from __future__ import annotations

import json

from apps.access.scope import workspace_scope
from apps.access.tokens import issue_run_key
from apps.experiments.models import Run
from apps.jobs import operations as jobs
from apps.lineage.queries import around, find_node
from tests.builders import Api
from tests.jobs.making import a_job
from tests.mlflow_api.test_tracking import Mlflow
from tests.registry.live import live, server_port

__all__ = ["live", "server_port"]


def test_a_jobs_run_carries_its_receipt_and_lineage(world):
    job = a_job(world.admin)
    made = jobs.run_job(actor=world.admin, job=job)
    door = Mlflow(Api(issue_run_key(world.admin, f"job_run:{made.pk}", 600)))
    run_id = door.run(run_name="from a job")
    run = Run.objects.get(uuid=run_id)
    assert run.activity == f"job_run:{made.pk}" and run.receipt["run_id"] == str(made.pk)
    assert run.receipt["commit"] == made.commit and run.receipt["user"] == "ada@example.com"
    tags = {tag["key"]: tag["value"] for tag in door.get("runs/get", run_id=run_id)["run"]["data"]["tags"]}
    assert tags["boathouse.job_run"] == str(made.pk) and tags["mlflow.source.type"] == "JOB"
    graph = around(world.admin, find_node(world.admin, "run", run_id, ""), up=1, down=0)
    assert {(node.kind, node.key) for node in graph.nodes} >= {("job_run", str(made.pk)), ("run", run_id)}
    plain = Run.objects.get(uuid=Mlflow(world.api).run())
    assert plain.activity == "" and plain.receipt is None


def test_a_claimed_job_in_tags_is_no_receipt(world):
    run_id = Mlflow(world.api).run(tags=[{"key": "boathouse.job_run", "value": "claimed"}])
    assert Run.objects.get(uuid=run_id).receipt is None
    with workspace_scope(world.theirs.workspace):
        assert not Run.objects.filter(uuid=run_id).exists()


def test_a_run_key_starts_its_run_in_front_of_django_too(live):
    with workspace_scope(live.ours.workspace):
        made = jobs.run_job(actor=live.ours.admin, job=a_job(live.ours.admin))
        key = issue_run_key(live.ours.admin, f"job_run:{made.pk}", 600)
    told = {"experiment_id": "0", "run_name": "from a job"}
    address = "/api/2.0/mlflow/runs/create"
    answer = live("POST", address, token=key, body=json.dumps(told).encode(), Content_Type="application/json")
    run_id = json.loads(answer.body)["run"]["info"]["run_id"]
    with workspace_scope(live.ours.workspace):
        run = Run.objects.get(uuid=run_id)
        assert run.receipt["run_id"] == str(made.pk) and run.name == "from a job"
        assert find_node(live.ours.admin, "run", run_id, "") is not None
