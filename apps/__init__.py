"""The rooms of the house. They stand on floors: import downwards only (pyproject.toml, tool.importlinter)."""
