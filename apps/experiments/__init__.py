"""Experiments and what is measured in them: runs with params, metrics, tags, data sets, and the models they make.

Nouns: experiment (a resource), run (lives in an experiment), param, metric (the latest value of a key), point (one of its values),
summary (a run's metrics, params and tags as they go over the wire).
"""
