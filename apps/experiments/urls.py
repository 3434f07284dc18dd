"""Routes of experiments."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.experiments import api
from apps.experiments.pages import compare, files, lists, run, runs

router = SimpleRouter(trailing_slash=False)
router.register("experiments", api.ExperimentViewSet, basename="experiment")
router.register("runs", api.RunViewSet, basename="run")

api_urls = router.urls

own_urls = [
    path("experiments", lists.list_experiments, name="list"),
    path("experiments/<uuid:experiment_id>", runs.detail, name="detail"),
    path("experiments/<int:number>", lists.by_number, name="by-number"),
    path("experiments/<uuid:experiment_id>/live", runs.live, name="live"),
    path("experiments/<uuid:experiment_id>/count", runs.count, name="count"),
    path("experiments/<uuid:experiment_id>/strip", runs.strip, name="strip"),
    path("experiments/<uuid:experiment_id>/columns", runs.columns, name="columns"),
    path("experiments/<uuid:experiment_id>/complete", runs.complete, name="complete"),
    path("experiments/<uuid:experiment_id>/change", runs.change, name="change"),
    path("experiments/<uuid:experiment_id>/views", runs.views, name="views"),
    path("experiments/<uuid:experiment_id>/csv", runs.download, name="csv"),
    path("experiments/<uuid:experiment_id>/compare", compare.compare, name="compare"),
    path("experiments/<uuid:experiment_id>/compare/data", compare.data, name="compare-data"),
    path("experiments/<uuid:experiment_id>/compare/history", compare.history, name="compare-history"),
    path("experiments/<uuid:experiment_id>/notes", lists.notes, name="notes"),
    path("experiments/<uuid:experiment_id>/settings", lists.settings, name="settings"),
    path("runs/<slug:run_id>", run.run, name="run"),
    path("runs/<slug:run_id>/metrics", run.metrics, name="metrics"),
    path("runs/<slug:run_id>/system", run.system, name="system"),
    path("runs/<slug:run_id>/curve", run.curve, name="curve"),
    path("runs/<slug:run_id>/inputs", run.run_inputs, name="inputs"),
    path("runs/<slug:run_id>/code", run.code, name="code"),
    path("runs/<slug:run_id>/log", run.log, name="log"),
    path("runs/<slug:run_id>/artifacts", files.show_artifacts, name="artifacts"),
    path("runs/<slug:run_id>/artifact", files.artifact, name="artifact"),
]
page_urls = [path("", include((own_urls, "experiments")))]
