"""Tables of the experiments room, by noun."""

from apps.experiments.models.datasets import Dataset, RunInput, RunModel
from apps.experiments.models.experiments import Experiment
from apps.experiments.models.logged_models import LoggedModel
from apps.experiments.models.measurements import MetricPoint, ModelMetric, RunMetric, RunParam, RunSummary, RunTag
from apps.experiments.models.runs import Run
from apps.experiments.models.views import RunView

__all__ = [
    "Dataset",
    "Experiment",
    "LoggedModel",
    "MetricPoint",
    "ModelMetric",
    "Run",
    "RunInput",
    "RunMetric",
    "RunModel",
    "RunParam",
    "RunSummary",
    "RunTag",
    "RunView",
]
