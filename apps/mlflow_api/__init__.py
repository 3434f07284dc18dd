"""The MLflow door: what the unmodified MLflow client says, translated to ours and back. No models, no rules, no permissions."""
