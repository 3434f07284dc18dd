"""Registered models: named lines of model versions that move through stages, with aliases, tags and gates.

Nouns: registered model (a resource), model version (lives in a model), stage, stage period (who was where, when), alias, gate (the
level that a stage asks for). A version's files are frozen when it is registered, so a version that was looked at is the one that runs.
"""
