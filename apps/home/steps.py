"""The way from a commit to a served model: five steps of a fresh workspace, ticked off as they happen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step: done when a thing of one of `kinds` is there. `section` is the side bar entry where one does it, `place` what follows its address."""

    kinds: tuple[str, ...]
    tile: str
    title: str
    text: str
    section: str
    action: str
    icon: str
    snippets: tuple[tuple[str, str], ...]
    place: str = ""


STEPS = (
    Step(
        ("table",),
        "table",
        "Bring a table",
        "A CSV or Parquet file, or rows written from code. Each change becomes a version.",
        "tables",
        "Upload a table",
        "upload",
        (("Python", 'import boathouse\n\nboathouse.write_table("main.default.flights", frame, mode="overwrite")'),),
        place="/upload",
    ),
    Step(
        ("repo",),
        "repo",
        "Bring the code",
        "A repository here that you push to with git and a token.",
        "repos",
        "New repo",
        "plus",
        (("CLI", "git remote add boathouse {url}/git/{workspace}/Shared/my-repo.git\ngit push boathouse main"),),
        place="#newrepo",
    ),
    Step(
        # Not an experiment: every workspace begins with one.
        ("job", "registered_model"),
        "experiment",
        "Train",
        "Run a script from a commit as a job, or log from your laptop with the mlflow client.",
        "jobs",
        "New job",
        "chart-gantt",
        (
            ("CLI", "export MLFLOW_TRACKING_URI={url}\nexport MLFLOW_TRACKING_TOKEN=bh_…\npython train.py"),
            ("Python", 'import mlflow\n\nmlflow.set_experiment("/routes/first")\nmlflow.autolog()\nmodel.fit(x, y)'),
        ),
        place="new",
    ),
    Step(
        ("registered_model", "model"),
        "model",
        "Register and approve",
        "Versions, stages and who may move them.",
        "models",
        "New model",
        "plus",
        (("Python", 'mlflow.sklearn.log_model(model, name="model", registered_model_name="my_model")'),),
        place="#newmodel",
    ),
    Step(
        ("endpoint",),
        "endpoint",
        "Serve",
        "An endpoint over REST that follows a stage or an alias. Each answer is logged.",
        "deployments",
        "New endpoint",
        "radio-tower",
        (
            (
                "curl",
                'curl {url}/serving-endpoints/my-endpoint/invocations \\\n  -H "Authorization: Bearer $TOKEN"'
                ' -H "Content-Type: application/json" -d @example.json',
            ),
        ),
        place="#newendpoint",
    ),
)

KINDS = sorted({kind for step in STEPS for kind in step.kinds if kind != "model"})


@dataclass(frozen=True)
class Shown:
    """A step with its state: done, now (the first that is not) or later."""

    step: Step
    number: int
    state: str
    url: str
    snippets: dict[str, str]


def walk(present: set[str], urls: dict[str, str], *, url: str, workspace: str) -> list[Shown]:
    """The steps with their states, given the kinds that are there and the addresses of the sections."""
    shown: list[Shown] = []
    for number, step in enumerate(STEPS, 1):
        done = bool(present.intersection(step.kinds))
        now = not done and all(before.state == "done" for before in shown)
        snippets = {name: code.format(url=url, workspace=workspace) for name, code in step.snippets} if now else {}
        address = urls.get(step.section, "")
        place = address + step.place if address and not done else address
        shown.append(Shown(step, number, "done" if done else "now" if now else "", place, snippets))
    return shown
