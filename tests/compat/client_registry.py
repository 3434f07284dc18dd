"""Played by the mlflow client: logged models, the registry and their files. Prints what it saw as one JSON object."""

import json
import os
import tempfile
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

client = MlflowClient()
seen: dict[str, object] = {}
experiment = os.environ["EXPERIMENT"]
frame = pd.DataFrame({"distance": [1.0, 2.0, 3.0], "delay": [0.5, 0.1, 0.9]})
model = LinearRegression().fit(frame, [1.0, 2.0, 3.0])
expected = model.predict(frame)


def refused(code: str, call, *args, **kwargs) -> None:
    try:
        call(*args, **kwargs)
    except MlflowException as error:
        assert error.error_code == code, f"{error.error_code}: {error}"
    else:
        raise AssertionError(f"{call.__name__} was not refused")


def log(name: str = "model") -> str:
    made = client.create_logged_model(experiment, name=name, params={"alpha": "1"}, tags={"team": "ops"})
    assert made.status == "PENDING" and made.model_id.startswith("m-") and len(made.model_id) == 34
    folder = tempfile.mkdtemp() + "/saved"
    mlflow.sklearn.save_model(
        model, folder, signature=infer_signature(frame, expected), input_example=frame, serialization_format="skops"
    )
    client.log_model_artifacts(made.model_id, folder)
    ready = client.finalize_logged_model(made.model_id, "READY")
    assert ready.status == "READY"
    return made.model_id


def same(uri: str) -> None:
    assert np.array_equal(mlflow.pyfunc.load_model(uri).predict(frame), expected), uri


# Logged models
first = log()
got = client.get_logged_model(first)
assert (got.params, got.tags["team"], got.experiment_id) == ({"alpha": "1"}, "ops", experiment)
client.log_model_params(first, {"beta": "x y"})
client.set_logged_model_tags(first, {"a": "1", "b": "2"})
client.delete_logged_model_tag(first, "a")
assert client.get_logged_model(first).tags.get("b") == "2" and "a" not in client.get_logged_model(first).tags
refused("RESOURCE_DOES_NOT_EXIST", client.get_logged_model, "m-" + "0" * 32)
names = [file.path for file in client.list_logged_model_artifacts(first)]
assert "MLmodel" in names and names == sorted(names)
second = log("other")
found = client.search_logged_models([experiment], filter_string="params.alpha = '1' AND name = 'other'")
assert [one.model_id for one in found] == [second]
page = client.search_logged_models([experiment], max_results=1, order_by=[{"field_name": "name", "ascending": True}])
assert [one.name for one in page] == ["model"] and page.token
rest = client.search_logged_models(
    [experiment], max_results=1, order_by=[{"field_name": "name", "ascending": True}], page_token=page.token
)
assert [one.name for one in rest] == ["other"] and not rest.token
refused("INVALID_PARAMETER_VALUE", client.search_logged_models, [experiment], filter_string="name >", max_results=1)
refused("INVALID_PARAMETER_VALUE", client.search_logged_models, [experiment], max_results=1, page_token=page.token)
same(f"models:/{first}")

# Registering, loading in each way
made = mlflow.register_model(f"models:/{first}", "churn", tags={"k": "v"})
assert (made.name, str(made.version), made.status, made.source) == ("churn", "1", "READY", f"models:/{first}")
versions = json.loads(client.get_logged_model(first).tags["mlflow.modelVersions"])
assert {str(one["version"]) for one in versions} == {"1"} and {one["name"] for one in versions} == {"churn"}
client.create_model_version("churn", f"models:/{second}", description="the second", model_id=second)
same("models:/churn/1")
same("models:/churn/latest")
moved = client.transition_model_version_stage("churn", "1", "production")
assert moved.current_stage == "Production"
same("models:/churn/Production")
same("models:/churn/production")
client.set_registered_model_alias("churn", "champion", "2")
same("models:/churn@champion")
assert client.get_model_version_by_alias("churn", "champion").version == "2"
assert client.get_registered_model("churn").aliases == {"champion": "2"}
assert client.get_model_version("churn", "2").aliases == ["champion"]
client.transition_model_version_stage("churn", "2", "Production", archive_existing_versions=True)
assert [v.version for v in client.get_latest_versions("churn", stages=["Production"])] == ["2"]
assert client.get_model_version("churn", "1").current_stage == "Archived"
copy = client.copy_model_version("models:/churn/1", "copied")
assert copy.source == "models:/churn/1" and copy.version == "1"
same("models:/copied/1")
signature = mlflow.models.get_model_info("models:/churn/1").signature
assert signature.inputs.input_names() == ["distance", "delay"]
example = mlflow.pyfunc.load_model("models:/churn/1").input_example
assert example is None or list(example.columns) == ["distance", "delay"]
folder = mlflow.artifacts.download_artifacts("models:/churn/2")
assert (Path(folder) / "MLmodel").exists()

# Three parts, and a plain name by its path
three = client.create_registered_model("main.default.plain_as_path")
assert three.name == "main.default.plain_as_path"
assert client.get_registered_model("main.default.churn").name == "churn"
refused("RESOURCE_DOES_NOT_EXIST", client.create_registered_model, "main.nowhere.model")

# Descriptions, tags, search
client.update_registered_model("churn", description="who leaves")
client.update_model_version("churn", "1", description="the first")
client.set_registered_model_tag("churn", "team", "ops")
client.set_model_version_tag("churn", "1", "checked", "yes")
churn = client.get_registered_model("churn")
assert (churn.description, churn.tags) == ("who leaves", {"team": "ops"})
assert {(v.version, v.current_stage) for v in churn.latest_versions} == {("1", "Archived"), ("2", "Production")}
assert client.get_model_version("churn", "1").tags == {"k": "v", "checked": "yes"}
assert [m.name for m in client.search_registered_models("name LIKE 'chu%'")] == ["churn"]
assert [m.name for m in client.search_registered_models("tags.team = 'ops'")] == ["churn"]
assert [m.name for m in client.search_registered_models(order_by=["name DESC"], max_results=2)][
    0
] == "main.default.plain_as_path"
assert {v.version for v in client.search_model_versions("name = 'churn'")} == {"1", "2"}
assert [v.version for v in client.search_model_versions("tags.checked = 'yes'")] == ["1"]
assert [
    v.version for v in client.search_model_versions("name='churn'", order_by=["version_number DESC"], max_results=1)
] == ["2"]
client.delete_registered_model_tag("churn", "team")
client.delete_model_version_tag("churn", "1", "checked")
client.delete_registered_model_alias("churn", "champion")
refused("INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, "churn", "champion")
refused("RESOURCE_ALREADY_EXISTS", client.create_registered_model, "churn")
refused("INVALID_PARAMETER_VALUE", client.transition_model_version_stage, "churn", "1", "Shadow")
refused("RESOURCE_DOES_NOT_EXIST", client.get_model_version, "churn", "9")
refused("INVALID_PARAMETER_VALUE", client.set_registered_model_alias, "churn", "latest", "1")
refused("INVALID_PARAMETER_VALUE", client.search_model_versions, "version_number = 'x'")
refused("INVALID_PARAMETER_VALUE", client.create_model_version, "churn", "/etc/passwd")

# Numbers, renaming, deleting
client.delete_model_version("churn", "2")
assert mlflow.register_model(f"models:/{second}", "churn").version in ("3", 3)
client.rename_registered_model("churn", "attrition")
same("models:/attrition/1")
client.delete_registered_model("attrition")
refused("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, "attrition")
assert str(mlflow.register_model(f"models:/{first}", "attrition").version) == "1"

# Prompts are registered models of a kind of their own
prompt = mlflow.genai.register_prompt("greet", "Hello {{name}}") if hasattr(mlflow, "genai") else None
if prompt:
    assert mlflow.genai.load_prompt("prompts:/greet/1").format(name="Ada") == "Hello Ada"
    assert "greet" not in [m.name for m in client.search_registered_models()]

client.delete_logged_model(second)
refused("RESOURCE_DOES_NOT_EXIST", client.get_logged_model, second)
seen["models"] = sorted(m.name for m in client.search_registered_models())
print(json.dumps(seen))
