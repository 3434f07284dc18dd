"""Our things in MLflow's shapes, by group. Empty is absent: a list, map or optional without content is left out."""
