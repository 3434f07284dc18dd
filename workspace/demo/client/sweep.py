"""Priya's tries from her own machine: small models over parts of the flights, logged with the unmodified mlflow client."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

import boathouse
import mlflow
import numpy as np
import pandas as pd
from features import CATEGORIES, NUMBERS, TARGET, flight_features
from sklearn.compose import make_column_transformer
from sklearn.ensemble import ExtraTreesRegressor, GradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

PLANES = ["manufacturer", "seats", "plane_year"]
WEATHER = ["temp", "wind_speed", "precip", "visib"]
FEATURES = {
    "base": [name for name in CATEGORIES + NUMBERS if name not in PLANES + WEATHER],
    "base+planes": [name for name in CATEGORIES + NUMBERS if name not in WEATHER],
    "base+planes+weather": CATEGORIES + NUMBERS,
}
FLIGHTS = 2_500
RUNS = 30
NOTE = """The depth hardly matters; **weather** does, as long as the learning rate stays below 0.1.

| features | what it adds |
|---|---|
| base | carrier, route, hour, delay at departure |
| base+planes | maker, seats and year of the plane |
| base+planes+weather | wind, rain and sight at the airport |
"""


def sweep(experiment: str, client: Any) -> int:
    """Log the tries, the newest last; how many there are now. Nothing when they were told before."""
    mlflow.set_experiment(experiment)
    told = mlflow.MlflowClient()
    found = told.get_experiment_by_name(experiment)
    told.set_experiment_tag(found.experiment_id, "mlflow.experiment.primaryMetric.name", "test_rmse")
    told.set_experiment_tag(found.experiment_id, "mlflow.experiment.primaryMetric.greaterIsBetter", "false")
    before = len(told.search_runs([found.experiment_id], "tags.purpose = 'sweep'", max_results=RUNS))
    if before >= RUNS:
        return before
    train, test = _rows(client, [1, 2, 3]), _rows(client, [4])
    random = np.random.default_rng(7)
    for number in range(RUNS):
        _one(number, random, train, test, client)
    return RUNS


def _rows(client: Any, months: list[int]) -> pd.DataFrame:
    flights = boathouse.read_table(
        "main.flights.flights", filter=[("month", "in", months), ("arr_delay", "is not null")], client=client
    )
    weather = boathouse.read_table("main.flights.weather", filter=[("month", "in", months)], client=client)
    planes = boathouse.read_table("main.flights.planes", client=client)
    picked = flights.to_pandas().sample(FLIGHTS, random_state=7)
    return flight_features(picked, weather.to_pandas(), planes.to_pandas())


def _one(number: int, random: np.random.Generator, train: pd.DataFrame, test: pd.DataFrame, client: Any) -> None:
    kind = ["boosting", "boosting", "extra_trees", "ridge"][number % 4]
    chosen = str(random.choice(list(FEATURES)))
    params: dict[str, Any] = {"model": kind, "features": chosen, "train_months": "1-3", "seed": 7}
    if kind == "boosting":
        params |= {
            "learning_rate": round(float(10 ** random.uniform(-1.6, -0.5)), 4),
            "max_leaf_nodes": int(random.choice([7, 15, 31])),
            "n_estimators": int(random.choice([30, 40, 60])),
        }
    elif kind == "extra_trees":
        params |= {"n_estimators": int(random.choice([10, 20, 30])), "max_depth": int(random.choice([6, 9, 12]))}
    else:
        params |= {"alpha": round(float(10 ** random.uniform(-2, 2)), 3)}
    with mlflow.start_run(tags={"purpose": "sweep", "data": "jan-mar"}):
        # Read inside the run, so that lineage knows what the run saw.
        boathouse.read_table("main.flights.planes", columns=["tailnum"], client=client)
        mlflow.log_params(params)
        if number == RUNS // 2:
            mlflow.log_metric("train_rmse", float("nan"))
            mlflow.end_run("FAILED")
            return
        began = time.perf_counter()
        columns = FEATURES[chosen]
        prepare = make_column_transformer(
            (
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                [name for name in columns if name in CATEGORIES],
            ),
            (SimpleImputer(), [name for name in columns if name in NUMBERS]),
        )
        inputs, goal = prepare.fit_transform(train[columns]), train[TARGET].to_numpy()
        seen, truth = prepare.transform(test[columns]), test[TARGET].to_numpy()
        model = _model(kind, params).fit(inputs, goal)
        error = model.predict(seen) - truth
        mlflow.log_metrics(
            {
                **({} if kind == "boosting" else {"test_rmse": float(np.sqrt(np.mean(error**2)))}),
                "test_mae": float(np.mean(np.abs(error))),
                "within_15": float(np.mean(np.abs(error) <= 15)),
                "fit_seconds": time.perf_counter() - began,
            }
        )
        if kind == "boosting":
            _curve(model, inputs, goal, seen, truth)
        if number % 9 == 1:
            _files(columns, error, test)
        if number == RUNS - 1:
            mlflow.set_tag("mlflow.note.content", NOTE)


def _model(kind: str, params: dict[str, Any]) -> Any:
    if kind == "ridge":
        return make_pipeline(Ridge(alpha=params["alpha"]))
    if kind == "extra_trees":
        return ExtraTreesRegressor(params["n_estimators"], max_depth=params["max_depth"], random_state=7)
    return GradientBoostingRegressor(
        learning_rate=params["learning_rate"],
        max_leaf_nodes=params["max_leaf_nodes"],
        n_estimators=params["n_estimators"],
        subsample=0.5,
        random_state=7,
    )


def _curve(model: Any, inputs: Any, goal: Any, seen: Any, truth: Any) -> None:
    """The error by iteration, on what was trained on and on what was not."""
    pairs = zip(model.staged_predict(inputs), model.staged_predict(seen), strict=True)
    now = int(time.time() * 1000)
    points = [
        mlflow.entities.Metric(f"{role}_rmse", float(np.sqrt(np.mean((told - real) ** 2))), now + step, step)
        for step, (mine, theirs) in enumerate(pairs, start=1)
        for role, told, real in (("train", mine, goal), ("test", theirs, truth))
    ]
    run = mlflow.active_run()
    mlflow.MlflowClient().log_batch(run.info.run_id, metrics=points)


def _files(columns: list[str], error: Any, test: pd.DataFrame) -> None:
    """What one looks into afterwards: shares, errors by carrier, a card, a page."""
    spread = {
        name: round(float(abs(np.corrcoef(pd.factorize(test[name])[0], np.abs(error))[0, 1])), 4) for name in columns
    }
    by_carrier = test.assign(error=np.abs(error)).groupby("carrier")["error"].agg(["size", "mean", "max"]).round(2)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "eval").mkdir()
        (folder / "feature_influence.json").write_text(json.dumps(spread))
        by_carrier.reset_index().to_csv(folder / "eval" / "by_carrier.csv", index=False)
        (folder / "model_card.md").write_text(
            f"# A small model\n\nWhat it saw: {', '.join(f'`{c}`' for c in columns)}.\n"
        )
        (folder / "eval" / "report.html").write_text(
            f"<h1>Errors by carrier</h1>{by_carrier.to_html()}<p>Mean {np.mean(np.abs(error)):.2f} min.</p>"
        )
        mlflow.log_artifacts(str(folder))
