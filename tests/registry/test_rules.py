"""Names, stages, paths and MLmodel files: rules without a database."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.access.actor import Actor
from apps.access.levels import Level
from apps.access.models import User, Workspace
from apps.experiments.artifacts import split_path
from apps.foundation.errors import Invalid
from apps.registry import mlmodel, stages
from apps.registry.gates import Gate, level_needed
from apps.registry.names import locate, shown_name
from tests.registry.makers import MLMODEL


@given(st.text(min_size=1, max_size=60))
def test_a_model_answers_to_the_name_it_shows_and_to_its_path(name: str) -> None:
    address = locate(name)
    shown = shown_name(address.path, address.name, plain=address.plain)
    assert locate(shown).path == locate(address.path).path == address.path
    assert shown == name or not address.plain


@given(st.text(alphabet=st.sampled_from("a./%25ef\\#;0:~ \0"), max_size=40))
def test_a_path_that_passes_stays_inside(path: str) -> None:
    try:
        steps = split_path(path)
    except Invalid:
        return
    inside = Path("/root/of/files").joinpath(*steps)
    assert inside.is_relative_to("/root/of/files") and ".." not in inside.parts
    assert "/".join(steps) == path.rstrip("/")


def test_gates_count_for_leaving_too() -> None:
    somebody = Actor(user=User(email="mia@example.com"), workspace=Workspace(name="ours"))
    usual = {stage: Gate(stage, Level.parse(word), False, ()) for stage, word in stages.DEFAULT_GATES.items()}
    strict = {**usual, "Staging": Gate("Staging", Level.MANAGE, False, ())}
    assert level_needed(usual, somebody, frozenset(), "None", "Staging") == Level.EDIT
    assert level_needed(usual, somebody, frozenset(), "Production", "Archived") == Level.MANAGE
    assert level_needed(strict, somebody, frozenset(), "Staging", "None") == Level.MANAGE
    kept = {**strict, "Staging": Gate("Staging", Level.MANAGE, False, (somebody.user,))}
    assert level_needed(kept, somebody, frozenset(), "Staging", "None") == Level.EDIT
    assert stages.canonical(" pRoduction") == "Production"


def read(tmp_path: Path, text: str) -> dict[str, object]:
    (tmp_path / "MLmodel").write_text(text)
    return mlmodel.read_facts(tmp_path)


def test_facts_of_a_model(tmp_path: Path) -> None:
    (tmp_path / "conda.yaml").write_text("")
    facts = read(tmp_path, MLMODEL)
    assert facts["flavors"]["sklearn"] == {"sklearn_version": "1.9.1"}  # type: ignore[index]
    assert facts["conda"] == "conda.yaml" and "requirements" not in facts and facts["model_bytes"] == 512


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system",
        "a: !local x",
        "a: &x [1]\nb: *x",
        "a: &a [x, x]\nb: &b [*a, *a]",
        "[" * 5000,
        "- " * 200 + "x",
        "x: [" + "1," * 30_000 + "]",
        "just text",
        "a: [",
        "\x00",
        "signature: {inputs: '[1, NaN]'}",
        "signature: {inputs: '" + "[" * 20_000 + "'}",
        "mlflow_version: x\n" + "#" * mlmodel.FILE_MAX,
    ],
)
def test_files_that_mlflow_did_not_write(tmp_path: Path, text: str) -> None:
    with pytest.raises(mlmodel.Unreadable):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "text", ["flavors: 7", "flavors: {a: [1]}\nsignature: 3", "signature: {inputs: 5}", "model_id: [1]"]
)
def test_odd_values_are_left_out(tmp_path: Path, text: str) -> None:
    assert not {"signature", "model_id", "loader_module"} & set(read(tmp_path, text))
