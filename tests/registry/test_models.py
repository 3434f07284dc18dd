"""What people do with models and versions, and what is refused."""

from __future__ import annotations

import pytest

from apps.access import operations as access
from apps.access.levels import Level
from apps.access.models import AuditEntry
from apps.access.policy import visible
from apps.access.resources import find_resource
from apps.experiments import artifacts
from apps.foundation.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound
from apps.lineage import queries as lineage
from apps.registry import operations, queries, transitions
from apps.registry.models import ModelVersion, RegisteredModel, StagePeriod
from apps.registry.names import check_model_name
from apps.registry.search import RegistrySearch, find_models, find_versions
from apps.tables.places import make_schema
from tests.builders import World, a_person
from tests.registry.makers import a_logged_model, a_model, a_run, a_version, an_experiment


def test_a_plain_name_answers_to_its_path_and_is_private_to_its_maker(world: World) -> None:
    mia, gil = (a_person(world, f"{name}@example.com") for name in ("mia", "gil"))
    model = a_model(mia, "churn")
    assert model.name == "churn" and model.resource.path == "main.default.churn"
    assert queries.get_model(mia, "main.default.churn", Level.MANAGE).pk == model.pk
    for name in ("churn", "main.default.churn"):
        with pytest.raises(NotFound):
            queries.get_model(gil, name)
    with pytest.raises(AlreadyExists):
        a_model(gil, "main.default.churn")
    assert not visible(RegisteredModel, gil).exists()


def test_who_may_add_versions_hears_that_the_model_is_there(world: World) -> None:
    """The mlflow client makes a model before each version, and goes on when that word comes back."""
    make_schema(world.admin, find_resource("catalog", "main"), "flights")
    model = a_model(world.admin, "main.flights.arrival_delay")
    mia, gil = (a_person(world, f"{name}@example.com") for name in ("mia", "gil"))
    access.share(actor=world.admin, resource=model.resource, grantee=mia.user, level=Level.EDIT)
    with pytest.raises(AlreadyExists):
        queries.home_of(mia, check_model_name("main.flights.arrival_delay"))
    with pytest.raises(NotFound):
        queries.home_of(gil, check_model_name("main.flights.arrival_delay"))


def test_three_parts_need_the_schema_and_a_level_on_it(world: World) -> None:
    mia = a_person(world, "mia@example.com")
    with pytest.raises(NotFound):
        a_model(mia, "main.flights.arrival_delay")
    schema = make_schema(world.admin, find_resource("catalog", "main"), "flights")
    with pytest.raises(NotFound):
        a_model(mia, "main.flights.arrival_delay")
    access.share(actor=world.admin, resource=schema.resource, grantee=mia.user, level=Level.VIEW)
    with pytest.raises(Forbidden):
        a_model(mia, "main.flights.arrival_delay")
    access.share(actor=world.admin, resource=schema.resource, grantee=mia.user, level=Level.EDIT)
    assert a_model(mia, "main.flights.arrival_delay").name == "main.flights.arrival_delay"


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b", "..", "x" * 256, "a\\b"])
def test_names_that_cannot_be(world: World, name: str) -> None:
    with pytest.raises(Invalid):
        a_model(world.admin, name)


def test_renaming_keeps_versions_and_frees_the_name(world: World) -> None:
    version = a_version(world.admin)
    operations.rename_model(actor=world.admin, model=version.model, name="attrition")
    assert queries.get_version(world.admin, "attrition", 1).pk == version.pk
    with pytest.raises(NotFound):
        queries.get_model(world.admin, "churn")
    assert a_model(world.admin, "churn").next_version == 1


def test_numbers_are_not_reused_until_the_model_is_deleted(world: World) -> None:
    model = a_model(world.admin)
    first, second = a_version(world.admin, model), a_version(world.admin, model)
    operations.delete_version(actor=world.admin, model=model, version=second)
    model.refresh_from_db()
    assert a_version(world.admin, model).version == 3
    with pytest.raises(NotFound):
        queries.get_version(world.admin, "churn", 2)
    operations.delete_model(actor=world.admin, model=model)
    assert a_version(world.admin).version == 1
    with pytest.raises(AlreadyExists):
        operations.restore_model(actor=world.admin, model=model)
    assert first.version == 1


def test_a_version_keeps_the_files_it_was_registered_with(world: World) -> None:
    logged = a_logged_model(world.admin)
    version = a_version(world.admin, logged=logged)
    artifacts.save(artifacts.model_place(logged, "model.skops"), b"poison")
    artifacts.delete(artifacts.model_place(logged, "requirements.txt"))
    kept = queries.files_of(version)
    assert (kept.folder / "model.skops").read_text() == "weights"
    assert (kept.folder / "requirements.txt").exists()
    assert kept.facts["loader_module"] == "mlflow.sklearn"
    assert kept.facts["signature"]["inputs"][0]["name"] == "distance"
    assert kept.facts["requirements"] == "requirements.txt"
    by_run = operations.create_version(
        actor=world.admin, model=version.model, source=f"runs:/{logged.source_run.hex}/model"
    )
    assert (
        by_run.logged_model == logged.uuid and (queries.files_of(by_run).folder / "model.skops").read_text() == "poison"
    )
    copy = operations.create_version(actor=world.admin, model=a_model(world.admin, "copy"), source="models:/churn/1")
    assert (queries.files_of(copy).folder / "model.skops").read_text() == "weights"


def test_registering_needs_to_see_the_source(world: World) -> None:
    mia = a_person(world, "mia@example.com")
    logged = a_logged_model(world.admin)
    model = a_model(mia)
    for source in (f"models:/{logged.hex}", f"runs:/{logged.source_run.hex}/model"):
        with pytest.raises(NotFound):
            operations.create_version(actor=mia, model=model, source=source)
    with pytest.raises(Invalid):
        operations.create_version(actor=mia, model=model, source=logged.artifact_uri)
    access.share(actor=world.admin, resource=logged.experiment.resource, grantee=mia.user, level=Level.VIEW)
    assert operations.create_version(actor=mia, model=model, source=logged.artifact_uri).logged_model == logged.uuid


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/etc",
        "file:///etc",
        "../x",
        "mlflow-artifacts:/1/../2",
        "s3://bucket/%2e%2e/x",
        "path/to/model",
        "\\\\host\\x",
    ],
)
def test_sources_that_nobody_may_name(world: World, source: str) -> None:
    with pytest.raises(Invalid):
        operations.create_version(actor=world.admin, model=a_model(world.admin), source=source)


def test_a_source_must_be_of_the_run_that_is_named(world: World) -> None:
    experiment = an_experiment(world.admin)
    ours, other = a_run(world.admin, experiment), a_run(world.admin, experiment)
    model = a_model(world.admin)
    artifacts.save(artifacts.run_place(world.admin, ours, "m/MLmodel"), b"flavors: {}")
    with pytest.raises(Invalid):
        operations.create_version(
            actor=world.admin, model=model, source=f"{ours.artifact_uri}/m", run_id=other.uuid.hex
        )
    made = operations.create_version(actor=world.admin, model=model, source=f"{ours.artifact_uri}/m")
    assert made.run == ours.uuid and made.files_at
    outside = operations.create_version(actor=world.admin, model=model, source="s3://bucket/m", run_id=ours.uuid.hex)
    assert outside.files_at is None
    with pytest.raises(Invalid):
        queries.files_of(outside)


def test_stages_keep_who_was_where_when(world: World) -> None:
    model = a_model(world.admin)
    first, second = a_version(world.admin, model), a_version(world.admin, model)
    operations.move_to_stage(actor=world.admin, model=model, version=first, stage="production")
    operations.move_to_stage(actor=world.admin, model=model, version=second, stage="Production", archive_existing=True)
    assert queries.resolve_version(model, stage="Production").version == 2
    assert queries.numbered(model, 1).stage == "Archived"
    history = [(p.version.version, p.stage, p.valid_to is None) for p in queries.stage_history(model).order_by("id")]
    assert history == [
        (1, "None", False),
        (2, "None", False),
        (1, "Production", False),
        (1, "Archived", True),
        (2, "Production", True),
    ]
    operations.delete_version(actor=world.admin, model=model, version=second)
    assert not StagePeriod.objects.filter(stage="Production", valid_to__isnull=True).exists()
    verbs = AuditEntry.objects.filter(verb="registry.move_to_stage").order_by("id")
    assert [(entry.after["version"], entry.after["stage"]) for entry in verbs] == [
        (1, "Production"),
        (1, "Archived"),
        (2, "Production"),
    ]


def test_gates(world: World) -> None:
    version = a_version(world.admin)
    mia = a_person(world, "mia@example.com", level=Level.EDIT, on=version.model.resource)

    def move(stage: str) -> ModelVersion:
        return operations.move_to_stage(actor=mia, model=version.model, version=version, stage=stage)

    move("Staging")
    with pytest.raises(Forbidden):
        move("Production")
    operations.move_to_stage(actor=world.admin, model=version.model, version=version, stage="Production")
    with pytest.raises(Forbidden):
        move("Archived")
    for stage, level in (("Production", "edit"), ("staging", "manage")):
        transitions.set_gate(actor=world.admin, model=version.model, stage=stage, level=level)
    move("Archived")
    with pytest.raises(Forbidden):
        move("Staging")
    for stage, level in (("None", "edit"), ("Production", "view"), ("Shadow", "edit")):
        with pytest.raises(Invalid):
            transitions.set_gate(actor=world.admin, model=version.model, stage=stage, level=level)
    with pytest.raises(Invalid):
        operations.move_to_stage(
            actor=world.admin, model=version.model, version=version, stage="Archived", archive_existing=True
        )


def test_aliases_move(world: World) -> None:
    model = a_model(world.admin)
    first, second = a_version(world.admin, model), a_version(world.admin, model)
    for version in (first, second, second):
        operations.set_alias(actor=world.admin, model=model, alias="champion", version=version)
    assert queries.resolve_version(model, alias="champion").version == 2
    assert queries.numbered(model, 1).current_aliases == []
    assert queries.alias_history(model).count() == 2
    for alias in ("latest", "v7", "V7", "a b", ""):
        with pytest.raises(Invalid):
            operations.set_alias(actor=world.admin, model=model, alias=alias, version=first)
    operations.delete_alias(actor=world.admin, model=model, alias="champion")
    with pytest.raises(NotFound):
        queries.resolve_version(model, alias="champion")
    stranger = a_version(world.admin, a_model(world.admin, "other"))
    with pytest.raises(NotFound):
        operations.set_alias(actor=world.admin, model=model, alias="champion", version=stranger)


def test_lineage_goes_from_run_to_version(world: World) -> None:
    logged = a_logged_model(world.admin)
    version = a_version(world.admin, logged=logged)
    focus = lineage.find_node(world.admin, "model_version", str(version.model.pk), "1")
    above = {(node.kind, node.depth) for node in lineage.around(world.admin, focus).nodes}
    assert above == {("model_version", 0), ("logged_model", -1), ("run", -2)}


def test_trash_comes_back_whole(world: World) -> None:
    version = a_version(world.admin)
    model = version.model
    operations.move_to_stage(actor=world.admin, model=model, version=version, stage="Staging")
    operations.delete_model(actor=world.admin, model=model)
    with pytest.raises(NotFound):
        queries.get_version(world.admin, "churn", 1)
    assert find_versions(world.admin, RegistrySearch()).items == []
    with pytest.raises(Conflict):
        operations.set_alias(actor=world.admin, model=model, alias="a", version=version)
    operations.restore_model(actor=world.admin, model=model)
    assert queries.get_version(world.admin, "churn", 1).stage == "Staging"


def test_search_shows_only_what_one_may_see(world: World) -> None:
    from apps.mlflow_api.filters import MODELS, VERSIONS, parse_filter, parse_order

    mia = a_person(world, "mia@example.com")
    for name in ("alpha", "beta", "gamma_x"):
        operations.set_model_tag(
            actor=world.admin, model=a_version(world.admin, a_model(world.admin, name)).model, key="team", value=name[0]
        )
    mine = a_model(mia, "mine")
    prompt = a_model(mia, "ask")
    operations.set_model_tag(actor=mia, model=prompt, key="mlflow.prompt.is_prompt", value="true")

    def models(actor, filter: str = "", order: tuple[str, ...] = ()) -> list[str]:  # type: ignore[no-untyped-def]
        search = RegistrySearch(parse_filter(filter, MODELS), parse_order(order, MODELS))
        return [model.name for model in find_models(actor, search).items]

    assert models(mia) == [mine.name]
    assert models(world.admin, order=("name DESC",)) == ["mine", "gamma_x", "beta", "alpha"]
    assert models(world.admin, "name LIKE 'gamma_%'") == ["gamma_x"]
    assert models(world.admin, "name ILIKE '%ETA'") == ["beta"]
    assert models(world.admin, "tags.team = 'a'") == ["alpha"]
    assert models(world.admin, "tags.team != 'a'") == ["beta", "gamma_x"]
    assert models(world.admin, "tag.`mlflow.prompt.is_prompt` != 'true'") == ["alpha", "beta", "gamma_x", "mine"]
    assert models(world.admin, "tag.`mlflow.prompt.is_prompt` = 'true'") == ["ask"]

    def versions(filter: str) -> list[str]:
        search = RegistrySearch(parse_filter(filter, VERSIONS))
        return [f"{version.model.name}/{version.version}" for version in find_versions(world.admin, search).items]

    run = queries.get_version(world.admin, "beta", 1).run.hex
    assert versions(f"run_id = '{run}'") == versions(f"run_id IN ('{run}', 'x')") == ["beta/1"]
    assert versions("name = 'beta'") == versions("name IN ('beta')") == ["beta/1"]
    assert len(versions(f"run_id != '{run}'")) == 2
    assert len(versions("version_number >= 1")) == 3 and versions("version_number > '1'") == []
    assert len(versions("source_path LIKE 'models:/m-%'")) == 3
    assert find_versions(mia, RegistrySearch()).items == []
