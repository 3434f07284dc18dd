"""Has errors below the door's addresses answered in MLflow's shape."""

from django.apps import AppConfig


class MlflowApiConfig(AppConfig):
    name = "apps.mlflow_api"

    def ready(self) -> None:
        from apps.foundation.http import register_door
        from apps.mlflow_api.errors import error_answer

        families = ("2.0/mlflow/", "3.0/mlflow/", "2.0/mlflow-artifacts/")
        register_door(
            tuple(f"/{prefix}/{family}" for prefix in ("api", "ajax-api") for family in families), error_answer
        )
