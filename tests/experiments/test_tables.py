"""A new workspace has its Default experiment, and each has its own."""

from __future__ import annotations

from apps.access.scope import workspace_scope
from apps.experiments.models import Experiment


def test_each_workspace_has_its_own_default(world):
    for side in (world.ours, world.theirs):
        with workspace_scope(side.workspace):
            (default,) = Experiment.objects.filter(number=0)
            assert default.name == "Default" and default.resource.path == "/Shared/Default"
