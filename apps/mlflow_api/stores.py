"""Whose files an artifact address means: a run's, a logged model's, or a registered version's frozen ones."""

from __future__ import annotations

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.experiments import artifacts, logged_models
from apps.experiments.artifacts import Place
from apps.foundation.errors import Forbidden, NotFound
from apps.registry import queries as registry
from apps.registry.mlmodel import MARKER

VERSIONS = "versions"


def place_to_read(actor: Actor, path: str) -> Place:
    """The place below the proxy that a path names. Reading a model's MLmodel file is loading it, and is noted as that."""
    steps = artifacts.split_path(path)
    if steps[:1] == (VERSIONS,):
        version, place = registry.find_version_place(actor, path.partition("/")[2])
        if place.steps == (MARKER,):
            registry.note_read(actor, version)
        return place
    try:
        place = artifacts.find_place(actor, path)
    except NotFound as absent:
        absent.message = "There is no such artifact."
        raise
    if place.logged_model and place.steps[3:] == (MARKER,):
        logged_models.note_read(actor, place.logged_model)
    return place


def place_to_write(actor: Actor, path: str) -> Place:
    """The place below the proxy where a file may be put or removed. Raises Forbidden for what a registered version has frozen."""
    if artifacts.split_path(path)[:1] == (VERSIONS,):
        registry.find_version_place(actor, path.partition("/")[2])
        raise Forbidden("The files of a registered version never change; log a new model and register that.")
    place = artifacts.find_place(actor, path, Level.EDIT)
    artifacts.check_writable(place)
    return place
