"""Example requests to the MLflow door, one module per group of routes, each with `EXAMPLES: list[DoorExample]`."""
