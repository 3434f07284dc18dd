"""What an environment must hold, read from a commit or a model and made safe to resolve: names and versions, nothing else."""

from __future__ import annotations

import hashlib
import posixpath
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from apps.foundation.errors import UserCodeFailed

Reader = Callable[[str], bytes | None]

# What our client, and the guest programs that read tables and score, import.
# That release of certifi is announced and not to be had everywhere, so that what was resolved could not be installed.
OURS = ("pyarrow>=14", "requests>=2.28", "certifi!=2026.10.19.post1")
# What mlflow brings that a model may use when it predicts; the rest of it is servers and databases.
_LEAN_MLFLOW = ("numpy", "pandas", "scikit-learn", "scipy")
_MOST_BYTES = 1024 * 1024
_MOST_LINES = 2000
_OURSELVES = "boathouse"


class EnvironmentFailed(UserCodeFailed):
    """The requirements cannot be read, resolved or installed: shown to their owner, in the words of the tool."""

    code, title = "environment_failed", "The environment could not be built"


@dataclass(frozen=True)
class Requirements:
    """Requirement lines, sorted and each once, and the file they come from; no lines stand for the default environment."""

    lines: tuple[str, ...]
    source: str

    @property
    def digest(self) -> str:
        """A hash of the content, the same for the same lines from wherever."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()


DEFAULT = Requirements((), "the default environment")


def of_commit(read: Reader) -> Requirements:
    """The requirements of a commit: requirements.txt, else pyproject.toml, else the default environment's."""
    text = read("requirements.txt")
    if text is not None:
        return _sound(_lines_of(read, "requirements.txt", text), "requirements.txt")
    text = read("pyproject.toml")
    if text is not None:
        lines = _pyproject_lines(_decode("pyproject.toml", text))
        if lines:
            return _sound(lines, "pyproject.toml")
    return DEFAULT


def of_model(folder: Path) -> Requirements:
    """The requirements of a logged model: requirements.txt, else the pip part of conda.yaml or python_env.yaml."""

    def read(name: str) -> bytes | None:
        path = folder / name
        return path.read_bytes()[: _MOST_BYTES + 1] if path.is_file() and not path.is_symlink() else None

    for name in ("requirements.txt", "conda.yaml", "python_env.yaml"):
        text = read(name)
        if text is not None:
            found = _lines_of(read, name, text) if name.endswith(".txt") else _yaml_lines(name, _decode(name, text))
            sound = _sound(found, name)
            return sound if _has_own_code(read("MLmodel")) else _lean(sound)
    return DEFAULT


def _decode(name: str, text: bytes) -> str:
    if len(text) > _MOST_BYTES:
        raise EnvironmentFailed(f"{name} is larger than {_MOST_BYTES // 1024} KiB")
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as failure:
        raise EnvironmentFailed(f"{name} is not UTF-8 text: {failure}") from None


def _lines_of(read: Reader, name: str, text: bytes, within: tuple[str, ...] = ()) -> Iterator[tuple[str, str]]:
    """(place, requirement) for each line of a requirements file and the files that it includes with -r."""
    joined = _decode(name, text).replace("\\\n", " ").replace("\\\r\n", " ")
    for number, raw in enumerate(joined.splitlines(), start=1):
        line = raw.split(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        place = f"{name}, line {number}"
        option, _, rest = line.replace("=", " ", 1).partition(" ") if line.startswith("-") else ("", "", "")
        if option in ("-r", "--requirement"):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), rest.strip()))
            included = None if path.startswith(("/", "..")) else read(path)
            if included is None or len(within) > 10:
                raise EnvironmentFailed(f"{place}: there is no file {rest.strip()} to include")
            yield from _lines_of(read, path, included, (*within, name))
        elif option:
            raise EnvironmentFailed(
                f"{place}: the option {option} is not taken. Packages come from this installation's package index; "
                "name them with their versions only."
            )
        else:
            yield place, line.split(" --hash")[0].strip()


def _pyproject_lines(text: str) -> list[tuple[str, str]]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as failure:
        raise EnvironmentFailed(f"pyproject.toml cannot be read: {failure}") from None
    project = content.get("project", {})
    dependencies = project.get("dependencies", []) if isinstance(project, dict) else None
    if not isinstance(dependencies, list) or not all(isinstance(line, str) for line in dependencies):
        raise EnvironmentFailed("pyproject.toml: project.dependencies must be a list of texts")
    if not dependencies and "poetry" in content.get("tool", {}):
        raise EnvironmentFailed("pyproject.toml: put the dependencies under [project]; Poetry's own table is not read")
    return [("pyproject.toml", line) for line in dependencies]


def _yaml_lines(name: str, text: str) -> list[tuple[str, str]]:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as failure:
        raise EnvironmentFailed(f"{name} cannot be read: {failure}") from None
    dependencies = content.get("dependencies", []) if isinstance(content, dict) else []
    found = []
    for entry in dependencies if isinstance(dependencies, list) else []:
        inner = entry.get("pip", []) if isinstance(entry, dict) else [entry] if name == "python_env.yaml" else []
        found += [(name, line) for line in inner if isinstance(line, str)]
    return [(place, line) for place, line in found if not line.startswith("-r requirements.txt")]


def _sound(lines: Iterator[tuple[str, str]] | list[tuple[str, str]], source: str) -> Requirements:
    """Only names, extras, versions and markers pass; our own client comes with every guest."""
    sound = set()
    for place, line in lines:
        try:
            wanted = Requirement(line)
        except InvalidRequirement as failure:
            reason = str(failure).splitlines()[0]
            raise EnvironmentFailed(f"{place}: “{line[:200]}” is not a requirement: {reason}") from None
        # A tool would take such a name for a file.
        if wanted.url or wanted.name.lower().endswith((".whl", ".zip", ".gz", ".bz2", ".tgz", ".xz", ".tar")):
            raise EnvironmentFailed(
                f"{place}: {wanted.name} is a file or an address; packages come from the package index only"
            )
        if wanted.name.lower() != _OURSELVES:
            sound.add(str(wanted))
        if len(sound) > _MOST_LINES:
            raise EnvironmentFailed(f"{source} names more than {_MOST_LINES} packages")
    return Requirements(tuple(sorted(sound)), source)


def _has_own_code(description: bytes | None) -> bool:
    """Whether a model runs code of its maker, which may import whatever mlflow brings; loaders of known kinds do not."""
    try:
        content = yaml.safe_load(_decode("MLmodel", description or b""))
        function = content["flavors"]["python_function"]
        loader = function["loader_module"]
    except (yaml.YAMLError, KeyError, TypeError):
        return True
    return (
        not str(loader).startswith("mlflow.") or str(loader).startswith("mlflow.pyfunc") or bool(function.get("code"))
    )


def _lean(requirements: Requirements) -> Requirements:
    """The same with mlflow's client instead of its servers: a tenth of the packages, the same loaders."""
    lines = set()
    for line in requirements.lines:
        wanted = Requirement(line)
        if wanted.name.lower() == "mlflow" and not wanted.extras:
            wanted.name = "mlflow-skinny"
            lines |= {name for name in _LEAN_MLFLOW if not any(_names(other, name) for other in requirements.lines)}
        lines.add(str(wanted))
    return Requirements(tuple(sorted(lines)), requirements.source)


def _names(line: str, name: str) -> bool:
    return Requirement(line).name.lower().replace("_", "-") == name
