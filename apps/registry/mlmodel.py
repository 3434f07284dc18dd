"""What a model's `MLmodel` file says, read without trust: a bounded YAML document, no tags, no anchors, nothing loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

FILE_MAX = 1024 * 1024
EVENTS_MAX = 20_000
DEPTH_MAX = 32
FACTS_MAX = 512 * 1024
MARKER = "MLmodel"
ENVIRONMENT_FILES = {"requirements": "requirements.txt", "conda": "conda.yaml", "python_env": "python_env.yaml"}

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # a PyYAML built without libyaml
    _Loader = yaml.SafeLoader


class Unreadable(ValueError):
    """The file is not one that MLflow wrote; the message says why."""


def read_facts(folder: Path) -> dict[str, Any]:
    """Flavors, signature, versions and environment files of the model in `folder`; `{}` when there is no MLmodel file.

    Raises Unreadable. All values are plain JSON.
    """
    marker = folder / MARKER
    if not marker.is_file():
        return {}
    if marker.stat().st_size > FILE_MAX:
        raise Unreadable(f"{MARKER} is larger than {FILE_MAX // 1024} KiB")
    said = parse(marker.read_bytes())
    flavors = {str(name): _scalars(values) for name, values in _mapping(said.get("flavors")).items()}
    facts = {
        "flavors": flavors,
        "loader_module": _text(flavors.get("python_function", {}).get("loader_module")),
        "python_version": _text(flavors.get("python_function", {}).get("python_version")),
        "mlflow_version": _text(said.get("mlflow_version")),
        "model_id": _text(said.get("model_id")),
        "model_bytes": said.get("model_size_bytes") if isinstance(said.get("model_size_bytes"), int) else None,
        "signature": _signature(said.get("signature")),
        "input_example": _text(_mapping(said.get("saved_input_example_info")).get("artifact_path")),
        **{name: file for name, file in ENVIRONMENT_FILES.items() if (folder / file).is_file()},
    }
    kept = {name: value for name, value in facts.items() if value not in (None, "", {})}
    if len(json.dumps(kept)) > FACTS_MAX:
        raise Unreadable(f"{MARKER} says more than {FACTS_MAX // 1024} KiB")
    return kept


def parse(raw: bytes) -> dict[str, Any]:
    """The document as plain values. Raises Unreadable."""
    try:
        text = raw.decode()
        _survey(text)
        said = yaml.load(text, Loader=_Loader)  # a safe loader, on a document that the survey has bounded
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unreadable(f"{MARKER} cannot be read: {str(error)[:200]}") from None
    if not isinstance(said, dict):
        raise Unreadable(f"{MARKER} is not a mapping")
    return said


def _survey(text: str) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if count > EVENTS_MAX or depth > DEPTH_MAX:
            raise Unreadable("it has too many parts or is nested too deeply")
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Unreadable("it uses anchors")
        tag = getattr(event, "tag", None)
        if tag and not tag.startswith("tag:yaml.org,2002:") or (tag or "").startswith("tag:yaml.org,2002:python"):
            raise Unreadable("it uses tags")


def _signature(said: Any) -> dict[str, Any] | None:
    found = {}
    for part in ("inputs", "outputs", "params"):
        value = _mapping(said).get(part)
        if isinstance(value, str):
            try:
                value = json.loads(value, parse_constant=_no_constant)
            except (ValueError, RecursionError):
                raise Unreadable(f"the signature's {part} are not JSON") from None
        if isinstance(value, list):
            found[part] = value
    return found or None


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _scalars(value: Any) -> dict[str, Any]:
    return {str(key): item for key, item in _mapping(value).items() if isinstance(item, str | int | float | bool)}


def _text(value: Any) -> str | None:
    return value[:500] if isinstance(value, str) else None
