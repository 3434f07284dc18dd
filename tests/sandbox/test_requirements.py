"""What may stand in a requirements file of a commit or a model: names and versions, nothing that reaches elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.sandbox import requirements
from apps.sandbox.requirements import DEFAULT, EnvironmentFailed, of_commit, of_model


def of(text: str, **more: str) -> tuple[str, ...]:
    files = {"requirements.txt": text, **{name.replace("__", "/") + ".txt": value for name, value in more.items()}}
    return of_commit({name: value.encode() for name, value in files.items()}.get).lines


def test_names_and_versions() -> None:
    text = "# a comment\n\npandas >=2  # why\nNumPy==2.4.6 \\\n  --hash=sha256:ab \\\n  --hash=sha256:cd\nuvicorn[standard] ; python_version<'4'\n"
    assert of(text) == ("NumPy==2.4.6", "pandas>=2", 'uvicorn[standard]; python_version < "4"')
    assert of("\ufeffpandas\r\npandas\r\n") == ("pandas",)
    assert of("boathouse>=1\npandas") == ("pandas",)


def test_files_that_include_files() -> None:
    assert of("-r deps/ml.txt\nsix", deps__ml="-r base.txt\nnumpy", deps__base="toolz") == ("numpy", "six", "toolz")
    for text in ("-r missing.txt", "-r ../secrets.txt", "-r /etc/passwd", "-r requirements.txt"):
        with pytest.raises(EnvironmentFailed, match="no file"):
            of(text)


@pytest.mark.parametrize(
    "line",
    [
        "-e .", "--index-url=http://there", "-i http://there", "--extra-index-url http://there", "-f /etc", "--pre",
        "--trusted-host there", "-c constraints.txt", "x @ file:///etc/passwd", "x @ https://there/x.whl",
        "git+https://there/x", "./x", "/etc/passwd", "../x", "x.whl", "a b", "${SECRET}", "https://there/x.whl", "x; y",
    ],
)  # fmt: skip
def test_everything_else_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(EnvironmentFailed, match="requirements.txt, line 2"):
        of(f"six\n{line}")


def test_a_project_file() -> None:
    def of_project(text: str) -> requirements.Requirements:
        return of_commit({"pyproject.toml": text.encode()}.get)

    assert of_project('[project]\nname = "x"\ndependencies = ["pandas>2", "six"]').lines == ("pandas>2", "six")
    assert of_project("[tool.ruff]\nline-length = 100") == DEFAULT == of_commit({}.get)
    for wrong in ("[project", "project = 3", '[project]\ndependencies = "six"', "[tool.poetry]\nname = 'x'"):
        with pytest.raises(EnvironmentFailed, match="pyproject.toml"):
            of_project(wrong)


def test_a_model(tmp_path: Path) -> None:
    (tmp_path / "conda.yaml").write_text(
        "dependencies:\n- python=3.11\n- pip<=24\n- pip:\n  - mlflow==3.17.2\n  - pandas==3.1.1\n"
    )
    assert of_model(tmp_path).lines == ("mlflow==3.17.2", "pandas==3.1.1")
    (tmp_path / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n")
    lean = ("mlflow-skinny==3.17.2", "numpy", "pandas==3.1.1", "scikit-learn", "scipy")
    assert of_model(tmp_path).lines == lean
    (tmp_path / "MLmodel").write_text("flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n")
    assert of_model(tmp_path).lines == ("mlflow==3.17.2", "pandas==3.1.1")
    (tmp_path / "requirements.txt").write_text("mlflow\n-e /etc")
    with pytest.raises(EnvironmentFailed, match="line 2"):
        of_model(tmp_path)
    (tmp_path / "requirements.txt").unlink()
    (tmp_path / "requirements.txt").symlink_to("/etc/passwd")
    (tmp_path / "conda.yaml").write_text("!!python/object/apply:os.system ['touch /tmp/never']")
    with pytest.raises(EnvironmentFailed, match="conda.yaml cannot be read"):
        of_model(tmp_path)
