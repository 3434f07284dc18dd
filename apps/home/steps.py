"""The way from a commit to a served model: five steps of a fresh workspace, ticked off as they happen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step: done when a thing of one of `kinds` is there. `section` is the side bar entry where one does it."""

    kinds: tuple[str, ...]
    tile: str
    title: str
    text: str
    section: str
    action: str
    code: str = ""
    language: str = "bash"


STEPS = (
    Step(
        ("table",),
        "table",
        "Bring a table",
        "A CSV or Parquet file, or rows written from code. Each change becomes a version.",
        "tables",
        "Upload a table",
        'import boathouse\n\nboathouse.write_table("main.default.flights", frame, mode="overwrite")',
        language="python",
    ),
    Step(
        ("repo",),
        "repo",
        "Bring the code",
        "A repository here that you push to with git and a token.",
        "repos",
        "New repo",
        "git remote add boathouse {url}/git/{workspace}/Shared/my-repo.git\ngit push boathouse main",
    ),
    Step(
        # Not an experiment: every workspace begins with one.
        ("job", "registered_model"),
        "experiment",
        "Train",
        "Run a script from a commit as a job, or log from your laptop with the mlflow client.",
        "jobs",
        "New job",
        "export MLFLOW_TRACKING_URI={url}\nexport MLFLOW_TRACKING_TOKEN=bh_…",
    ),
    Step(
        ("registered_model", "model"),
        "model",
        "Register and approve",
        "Versions, stages and who may move them.",
        "models",
        "Models",
        'mlflow.sklearn.log_model(model, name="model", registered_model_name="my_model")',
        language="python",
    ),
    Step(
        ("endpoint",),
        "endpoint",
        "Serve",
        "An endpoint over REST that follows a stage or an alias. Each answer is logged.",
        "deployments",
        "New endpoint",
        'curl {url}/serving-endpoints/my-endpoint/invocations \\\n  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" -d @example.json',
    ),
)


@dataclass(frozen=True)
class Shown:
    """A step with its state: done, now (the first that is not) or later."""

    step: Step
    number: int
    state: str
    url: str
    code: str


def walk(present: set[str], urls: dict[str, str], *, url: str, workspace: str) -> list[Shown]:
    """The steps with their states, given the kinds that are there and the addresses of the sections."""
    shown: list[Shown] = []
    for number, step in enumerate(STEPS, 1):
        done = bool(present.intersection(step.kinds))
        now = not done and all(before.state == "done" for before in shown)
        code = step.code.format(url=url, workspace=workspace) if not done else ""
        shown.append(Shown(step, number, "done" if done else "now" if now else "", urls.get(step.section, ""), code))
    return shown
