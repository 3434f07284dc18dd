"""Pages of experiments, by noun."""
