"""The door's addresses, from the rows in `routes`."""

from apps.mlflow_api.routes import ROUTES
from apps.mlflow_api.routing import url_patterns

root_urls = url_patterns(ROUTES)
