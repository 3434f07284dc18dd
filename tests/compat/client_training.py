"""Played by the mlflow client: a training script, logged by itself, registered and loaded in each way; files of all sorts."""

import json
import os
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression, Ridge

warnings.simplefilter("ignore")
client = MlflowClient()
mlflow.set_experiment("arrivals")
rng = np.random.default_rng(7)
frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["distance", "delay", "hour"])
target = frame.sum(axis=1) + rng.normal(size=200)


def same(uri: str, expected: np.ndarray) -> None:
    assert np.array_equal(mlflow.pyfunc.load_model(uri).predict(frame), expected), uri


# Autologging
mlflow.sklearn.autolog()
with mlflow.start_run(run_name="by itself") as run:
    fitted = Ridge(alpha=0.3).fit(frame, target)
    fitted.score(frame, target)
mlflow.sklearn.autolog(disable=True)
logged = client.get_run(run.info.run_id)
assert logged.info.status == "FINISHED" and logged.data.params["alpha"] == "0.3"
assert "training_r2_score" in logged.data.metrics
outputs = logged.outputs.model_outputs
assert len(outputs) == 1, outputs
auto = client.get_logged_model(outputs[0].model_id)
assert auto.source_run_id == run.info.run_id and auto.status == "READY"
assert {metric.key for metric in auto.metrics} >= {"training_r2_score"}
os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "true"
same(f"models:/{auto.model_id}", fitted.predict(frame))
same(f"runs:/{run.info.run_id}/model", fitted.predict(frame))
best = mlflow.search_logged_models(
    experiment_ids=[logged.info.experiment_id],
    filter_string="metrics.training_r2_score > 0.1",
    order_by=[{"field_name": "metrics.training_r2_score", "ascending": False}],
    output_format="list",
)
assert [one.model_id for one in best] == [auto.model_id]

# log_model with signature, example and registration in one go
with mlflow.start_run() as run:
    model = LinearRegression().fit(frame, target)
    expected = model.predict(frame)
    info = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=infer_signature(frame, expected),
        input_example=frame.head(3),
        registered_model_name="arrival_delay",
        serialization_format="skops",
    )
    mlflow.log_text("hello", "notes/ä b+c%.txt")
    mlflow.log_dict({"a": 1}, "config.json")
    Path("many/deep").mkdir(parents=True)
    for index in range(20):
        Path(f"many/deep/{index}.bin").write_bytes(os.urandom(1000 * index))
    mlflow.log_artifacts("many", "many")
run_id = run.info.run_id
same(info.model_uri, expected)
same(f"runs:/{run_id}/model", expected)
same("models:/arrival_delay/1", expected)
version = client.get_model_version("arrival_delay", "1")
assert version.run_id == run_id and version.status == "READY"
client.transition_model_version_stage("arrival_delay", "1", "Production")
client.set_registered_model_alias("arrival_delay", "champion", "1")
same("models:/arrival_delay/Production", expected)
same("models:/arrival_delay@champion", expected)
reloaded = mlflow.sklearn.load_model("models:/arrival_delay@champion")
assert np.array_equal(reloaded.coef_, model.coef_)
assert mlflow.register_model(f"runs:/{run_id}/model", "from_run").run_id == run_id
same("models:/from_run/1", expected)
assert [v.name for v in client.search_model_versions(f"run_id = '{run_id}'")] == ["from_run", "arrival_delay"]

# Files
assert mlflow.artifacts.load_text(f"runs:/{run_id}/notes/ä b+c%.txt") == "hello"
assert mlflow.artifacts.load_dict(f"runs:/{run_id}/config.json") == {"a": 1}
assert {file.path for file in client.list_artifacts(run_id)} >= {"config.json", "many", "notes"}
assert len(client.list_artifacts(run_id, "many/deep")) == 20
folder = Path(client.download_artifacts(run_id, "many"))
for index in range(20):
    assert (folder / f"deep/{index}.bin").read_bytes() == Path(f"many/deep/{index}.bin").read_bytes()
uri = mlflow.get_run(run_id).info.artifact_uri
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository  # noqa: E402

get_artifact_repository(uri).delete_artifacts("many")
assert client.list_artifacts(run_id, "many") == []
try:
    client.download_artifacts(run_id, "nothing")
except (MlflowException, OSError) as error:
    assert "nothing" in str(error) or "404" in str(error)
else:
    raise AssertionError("an artifact that is not there was downloaded")

# Big: as one piece, streamed
size = int(os.environ["BIG_BYTES"])
with open("big.bin", "wb") as file:
    for _ in range(size // (1 << 20)):
        file.write(os.urandom(1 << 20))
client.log_artifact(run_id, "big.bin")
import hashlib  # noqa: E402


def digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


Path("down").mkdir()
assert digest(client.download_artifacts(run_id, "big.bin", "down")) == digest("big.bin")
print(json.dumps({"run": run_id, "models": sorted(m.name for m in client.search_registered_models())}))
