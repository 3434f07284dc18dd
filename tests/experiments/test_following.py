"""What an experiment copies of its resource follows it wherever the resource goes."""

from __future__ import annotations

from apps.access.models import Resource
from apps.access.resources import create_resource, rename_resource, restore_resource, trash_resource
from apps.experiments.models import Experiment
from apps.experiments.operations import create_experiment
from tests.mlflow_api.test_tracking import Mlflow


def test_a_list_shows_where_an_experiment_lies_now(world):
    shared = Resource.objects.get(path="/Shared")
    folder = create_resource(world.admin, kind="folder", name="before", parent=shared)
    made = create_experiment(actor=world.admin, parent=folder, name="mine")
    door = Mlflow(world.api)

    def listed(view="ACTIVE_ONLY"):
        found = door.post("experiments/search", max_results=10, view_type=view).get("experiments", [])
        return [(each["name"], each["lifecycle_stage"]) for each in found if each["experiment_id"] == str(made.number)]

    assert listed() == [("/Shared/before/mine", "active")]
    rename_resource(folder, "after")
    assert listed() == [("/Shared/after/mine", "active")]
    trash_resource(folder)
    assert listed() == [] and listed("DELETED_ONLY") == [("/Shared/after/mine", "deleted")]
    restore_resource(Resource.objects.get(pk=folder.pk))
    assert listed() == [("/Shared/after/mine", "active")]
    kept = Experiment.objects.select_related("resource").get(pk=made.pk)
    assert (kept.path, kept.trashed, kept.created_at) == (kept.resource.path, False, kept.resource.created_at)
