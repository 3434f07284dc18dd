"""A large experiment for the run table, filled with SQL as the ingest functions would have stored it."""

from __future__ import annotations

from typing import Any

METRICS = ["val_rmse", "val_mae", "within_15", "train_rmse", "r2", "fit_seconds"]
CURVED, CURVE_POINTS = 1_000, 60


def fill(number: int, runs: int, wide_keys: int = 0) -> None:
    """`runs` runs in the experiment of this number; the newest one gets `wide_keys` more metrics."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:

        def run(statement: str, *params: Any) -> None:
            cursor.execute(statement, list(params))

        run(
            "insert into experiments_run (workspace_id, experiment_id, experiment_number, uuid, name, claimed_user, status, start_time,"
            " end_time, created_at, activity) select e.workspace_id, e.resource_id, e.number, gen_random_uuid(),"
            " (array['quiet','amber','northern','silver','tidal','clear'])[1 + i %% 6] || '-' || (array['heron','skiff','oar','tern'])[1 + i %% 4]"
            " || '-' || i, (array['priya','ada','tomasz'])[1 + i %% 3], case when i %% 23 = 0 then 'FAILED' else 'FINISHED' end,"
            " (extract(epoch from now()) * 1000)::bigint - (%s - i) * 60000::bigint,"
            " (extract(epoch from now()) * 1000)::bigint - (%s - i) * 60000::bigint + 20000 + (i * 7919::bigint) %% 400000, now(), ''"
            " from experiments_experiment e, generate_series(1, %s) i where e.number = %s",
            runs, runs, runs, number,
        )  # fmt: skip
        run("analyze experiments_run")
        run(
            "insert into experiments_runmetric (workspace_id, experiment_number, run_id, key, value, step, timestamp)"
            " select r.workspace_id, r.experiment_number, r.id, k, case k when 'within_15' then 0.66 + random() * 0.12 when 'r2' then random()"
            " else 14.3 + random() * 5 + 3 * exp(-(r.id %% 1000) / 300.0) end, 60, r.start_time"
            " from experiments_run r, unnest(%s::text[]) k where r.experiment_number = %s and r.status = 'FINISHED' order by r.id, k",
            METRICS, number,
        )  # fmt: skip
        run(
            "insert into experiments_runparam (workspace_id, experiment_number, run_id, key, value)"
            " select r.workspace_id, r.experiment_number, r.id, k, case k"
            " when 'model' then (array['lightgbm','xgboost','random_forest','ridge','mlp'])[1 + r.id %% 5]"
            " when 'features' then (array['base','base+planes','base+planes+weather'])[1 + r.id %% 3]"
            " when 'learning_rate' then round((0.004 + (r.id * 7919 %% 1000) / 5000.0)::numeric, 4)::text"
            " when 'num_leaves' then (array['15','31','63','127','255'])[1 + r.id * 31 %% 5] when 'seed' then '7'"
            " else ((r.id * 17 %% 13) * 100)::text end"
            " from experiments_run r, unnest(array['model','features','learning_rate','num_leaves','n_estimators','seed']) k"
            " where r.experiment_number = %s order by r.id, k",
            number,
        )
        run(
            "insert into experiments_runtag (workspace_id, experiment_number, run_id, key, value)"
            " select r.workspace_id, r.experiment_number, r.id, k, case k when 'mlflow.runName' then r.name when 'purpose' then"
            " (array['sweep','candidate','ablation'])[1 + r.id %% 3] else md5(r.id::text) || 'a1b2c3d4' end"
            " from experiments_run r, unnest(array['mlflow.runName','purpose','mlflow.source.git.commit']) k"
            " where r.experiment_number = %s order by r.id, k",
            number,
        )
        run(
            "insert into experiments_metricpoint (workspace_id, run_id, key, timestamp, step, value)"
            " select r.workspace_id, r.id, 'val_rmse', r.start_time + s * 300, s, m.value + 9 * exp(-s / 9.0) + random() * 0.2"
            " from (select * from experiments_run where experiment_number = %s order by id desc limit %s) r"
            " join experiments_runmetric m on m.run_id = r.id and m.key = 'val_rmse', generate_series(1, %s) s",
            number, CURVED, CURVE_POINTS,
        )  # fmt: skip
        if wide_keys:
            run(
                "insert into experiments_runmetric (workspace_id, experiment_number, run_id, key, value, step, timestamp)"
                " select r.workspace_id, r.experiment_number, r.id, 'layer.' || lpad(k::text, 6, '0') || '.norm', random(), 0, 0"
                " from (select * from experiments_run where experiment_number = %s order by id desc limit 1) r, generate_series(1, %s) k",
                number, wide_keys,
            )  # fmt: skip
        run(
            "insert into experiments_runsummary (run_id, workspace_id, metrics, params, tags, inputs, outputs, metric_count)"
            " select r.id, r.workspace_id, experiments_metrics_text(r.id), experiments_params_text(r.id), experiments_tags_text(r.id),"
            " '', '', (select count(*) from experiments_runmetric m where m.run_id = r.id)"
            " from experiments_run r where r.experiment_number = %s",
            number,
        )
        run("vacuum analyze")
