"""Run by the unmodified mlflow client's own Python: everything of tracking that a script does. Prints `{"seen": "fine"}` at the end."""

from __future__ import annotations

import json
import math

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException


def refused(code: str, call, *arguments, **named) -> None:
    try:
        call(*arguments, **named)
    except MlflowException as error:
        assert error.error_code == code, (error.error_code, error.message)
    else:
        raise AssertionError(f"{call} was not refused")


client = MlflowClient()
with mlflow.start_run() as run:
    assert run.info.experiment_id == "0"
made = mlflow.set_experiment("churn")
assert mlflow.set_experiment("churn").experiment_id == made.experiment_id and made.name == "churn"
mlflow.set_experiment("/teams/risk/churn")
assert mlflow.get_experiment_by_name("/teams/risk/churn").experiment_id != made.experiment_id
refused("RESOURCE_ALREADY_EXISTS", client.create_experiment, "churn")
refused("RESOURCE_DOES_NOT_EXIST", client.get_experiment, "999999")
refused("RESOURCE_DOES_NOT_EXIST", client.get_run, "0" * 32)

mlflow.set_experiment("churn")
with mlflow.start_run(run_name="outer", description="a note", tags={"team": "risk"}) as outer:
    mlflow.log_params({"depth": 7, "rate": 0.1})
    for step in range(5):
        mlflow.log_metric("loss", 1 / (step + 1), step=step)
    mlflow.log_metrics({"odd": math.nan, "big": math.inf, "exact": 0.1 + 0.2})
    with mlflow.start_run(nested=True) as inner:
        mlflow.log_metric("loss", 0.5)
refused("INVALID_PARAMETER_VALUE", client.log_param, outer.info.run_id, "depth", 8)
found = client.get_run(outer.info.run_id)
assert (
    found.info.status == "FINISHED"
    and found.info.run_name == "outer"
    and found.data.params == {"depth": "7", "rate": "0.1"}
)
assert (
    found.data.metrics["loss"] == 0.2
    and math.isnan(found.data.metrics["odd"])
    and found.data.metrics["big"] == math.inf
)
assert found.data.metrics["exact"] == 0.1 + 0.2 and found.data.tags["mlflow.note.content"] == "a note"
assert [point.step for point in client.get_metric_history(outer.info.run_id, "loss")] == [0, 1, 2, 3, 4]
assert client.get_run(inner.info.run_id).data.tags["mlflow.parentRunId"] == outer.info.run_id

with mlflow.start_run(run_id=outer.info.run_id):
    mlflow.set_tags({"resumed": "yes", "mlflow.runName": "renamed"})
assert client.get_run(outer.info.run_id).info.run_name == "renamed"

batch = [Metric(f"m{n % 20}", n / 7, 1_700_000_000_000, n) for n in range(1000)]
for _ in range(2):
    client.log_batch(inner.info.run_id, metrics=batch)
client.log_batch(inner.info.run_id, params=[Param("p", "1")], tags=[RunTag("t", "x")])
assert len(client.get_metric_history(inner.info.run_id, "m3")) == 50

everything = mlflow.search_runs(search_all_experiments=True, output_format="list")
assert {run.info.run_id for run in everything} >= {outer.info.run_id, inner.info.run_id}
names = [
    run.info.run_id
    for run in client.search_runs(
        [made.experiment_id], "metrics.loss < 0.4 and params.depth = '7'", order_by=["metrics.loss DESC"]
    )
]
assert names == [outer.info.run_id]
first = client.search_runs([made.experiment_id], max_results=1)
second = client.search_runs([made.experiment_id], max_results=1, page_token=first.token)
assert {first[0].info.run_id, second[0].info.run_id} == {outer.info.run_id, inner.info.run_id} and not second.token
refused("INVALID_PARAMETER_VALUE", client.search_runs, [made.experiment_id], "metrics.loss < 1 OR params.x = '1'")

client.delete_run(inner.info.run_id)
refused("INVALID_PARAMETER_VALUE", client.log_metric, inner.info.run_id, "loss", 1)
assert len(client.search_runs([made.experiment_id], run_view_type=ViewType.DELETED_ONLY)) == 1
client.restore_run(inner.info.run_id)
client.set_experiment_tag(made.experiment_id, "owner", "ada")
client.rename_experiment(made.experiment_id, "churn-2")
assert client.get_experiment(made.experiment_id).tags == {"owner": "ada"}
client.delete_experiment(made.experiment_id)
assert made.experiment_id not in {item.experiment_id for item in client.search_experiments()}
assert client.get_run(outer.info.run_id).info.lifecycle_stage == "deleted"
client.restore_experiment(made.experiment_id)
assert client.search_experiments(filter_string="name LIKE 'churn%'")[0].name == "churn-2"
print(json.dumps({"seen": "fine"}))
