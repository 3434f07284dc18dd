"""Routes of experiments."""

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from apps.experiments import api, pages

router = SimpleRouter(trailing_slash=False)
router.register("experiments", api.ExperimentViewSet, basename="experiment")
router.register("runs", api.RunViewSet, basename="run")

api_urls = router.urls

own_urls = [
    path("experiments", pages.list_experiments, name="list"),
    path("experiments/<uuid:experiment_id>", pages.detail, name="detail"),
    path("experiments/<int:number>", pages.by_number, name="by-number"),
    path("experiments/<uuid:experiment_id>/compare", pages.compare, name="compare"),
    path("experiments/<uuid:experiment_id>/settings", pages.settings, name="settings"),
    path("runs/<slug:run_id>", pages.run, name="run"),
    path("runs/<slug:run_id>/metrics", pages.metrics, name="metrics"),
    path("runs/<slug:run_id>/artifacts", pages.show_artifacts, name="artifacts"),
    path("runs/<slug:run_id>/artifact", pages.artifact, name="artifact"),
]
page_urls = [path("", include((own_urls, "experiments")))]
