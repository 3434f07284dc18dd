"""Routes of experiments. Programs speak to them through the MLflow door."""

from django.urls import include, path

from apps.experiments import pages

own_urls = [
    path("experiments", pages.list_experiments, name="list"),
    path("experiments/<uuid:experiment_id>", pages.detail, name="detail"),
    path("experiments/<uuid:experiment_id>/compare", pages.compare, name="compare"),
    path("experiments/<uuid:experiment_id>/settings", pages.settings, name="settings"),
    path("runs/<slug:run_id>", pages.run, name="run"),
    path("runs/<slug:run_id>/metrics", pages.metrics, name="metrics"),
    path("runs/<slug:run_id>/artifacts", pages.show_artifacts, name="artifacts"),
    path("runs/<slug:run_id>/artifact", pages.artifact, name="artifact"),
]
page_urls = [path("", include((own_urls, "experiments")))]
