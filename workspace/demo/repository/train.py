"""Train a model of arrival delays in minutes and log it."""

from __future__ import annotations

import argparse

import boathouse
import mlflow
import numpy as np
from features import CATEGORIES, NUMBERS, TARGET, flight_features
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

FLIGHT_COLUMNS = [
    "month",
    "day",
    "hour",
    "carrier",
    "origin",
    "dest",
    "tailnum",
    "distance",
    "dep_delay",
    "arr_delay",
    "time_hour",
]


def read(months: list[int]):
    """The features of all flights of some months that arrived."""
    flights = boathouse.read_table(
        "main.flights.flights", columns=FLIGHT_COLUMNS, filter=[("month", "in", months), ("arr_delay", "is not null")]
    )
    weather = boathouse.read_table("main.flights.weather", filter=[("month", "in", months)])
    planes = boathouse.read_table("main.flights.planes")
    return flight_features(flights.to_pandas(), weather.to_pandas(), planes.to_pandas())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--max-leaf-nodes", type=int, default=31)
    parser.add_argument("--max-iter", type=int, default=80)
    parser.add_argument(
        "--train-months", type=lambda text: [int(month) for month in text.split(",")], default=[1, 2, 3]
    )
    parser.add_argument("--test-month", type=int, default=4)
    wish = parser.parse_args()

    # By id: the client chooses no experiment when another run makes it at the same moment.
    experiment = mlflow.set_experiment("/flight-delays/arrival-delay")
    mlflow.sklearn.autolog(log_models=False)
    with mlflow.start_run(experiment_id=experiment.experiment_id):
        train, test = read(wish.train_months), read([wish.test_month])
        print(f"{len(train):,} flights to train on, {len(test):,} to measure on", flush=True)
        model = make_pipeline(
            make_column_transformer(
                (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), CATEGORIES),
                ("passthrough", NUMBERS),
            ),
            HistGradientBoostingRegressor(
                learning_rate=wish.learning_rate,
                max_leaf_nodes=wish.max_leaf_nodes,
                max_iter=wish.max_iter,
                random_state=7,
            ),
        )
        inputs = train[CATEGORIES + NUMBERS]
        model.fit(inputs, train[TARGET])
        predicted = model.predict(test[CATEGORIES + NUMBERS])
        error = predicted - test[TARGET].to_numpy()
        mlflow.log_metrics({"test_rmse": float(np.sqrt(np.mean(error**2))), "test_mae": float(np.mean(np.abs(error)))})
        for step, scores in enumerate(np.array_split(error, 30), start=1):
            mlflow.log_metric("mae_by_day", float(np.mean(np.abs(scores))), step=step)
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            signature=infer_signature(inputs, predicted),
            input_example=inputs.head(3),
            skops_trusted_types=["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"],
        )
        print(f"test rmse {np.sqrt(np.mean(error**2)):.2f} min, model {logged.model_id}", flush=True)


if __name__ == "__main__":
    main()
