"""The strip above the run table: the goal of every run in the order they were made, and the best so far."""

from __future__ import annotations

from typing import Any

from apps.experiments.columns import Goal
from apps.experiments.models import Experiment, RunParam
from apps.experiments.table import read

POINTS = 1_200
SERIES = 3
_STATEMENT = """
with every as materialized (
  select r.id, r.uuid, r.name, m.value, row_number() over (order by r.start_time, r.uuid desc) n
  from experiments_runmetric m join experiments_run r on r.id = m.run_id
  where m.experiment_number = %(number)s and m.key = %(key)s and m.value < 'Infinity' and m.value > '-Infinity' and r.deleted_at is null
), best as (
  select *, {least}(value) over (order by n rows between unbounded preceding and 1 preceding) before, count(*) over () total from every
)
select id, uuid, name, value, n, before is null or value {sign} before, total from best
where total <= %(points)s or before is null or value {sign} before or n = total or n %% greatest(1, total / %(points)s) = 0
order by n"""


def best_so_far(experiment: Experiment, goal: Goal, by: str) -> dict[str, Any]:
    """Points [n, value, series, run, name] of the runs, thinned evenly where they are many, and every step of the best."""
    least, sign = ("max", ">") if goal.way > 0 else ("min", "<")
    rows = read(_STATEMENT.format(least=least, sign=sign), number=experiment.number, key=goal.key, points=POINTS)
    values = dict(
        RunParam.objects.filter(run_id__in=[row[0] for row in rows], key=by).values_list("run_id", "head") if by else ()
    )
    counts: dict[str, int] = {}
    for value in values.values():
        counts[value] = counts.get(value, 0) + 1
    names = sorted(counts, key=lambda value: (-counts[value], value))[:SERIES]
    series = {name: place for place, name in enumerate(names)}
    points = [
        [n, value, series.get(values.get(id, ""), len(names)), key.hex, name] for id, key, name, value, n, _, _ in rows
    ]
    best = [[n, value] for _, _, _, value, n, improved, _ in rows if improved]
    if rows and best and best[-1][0] != rows[-1][4]:
        best.append([rows[-1][4], best[-1][1]])
    return {
        "metric": goal.key,
        "way": goal.way,
        "total": rows[0][6] if rows else 0,
        "points": points,
        "best": best,
        "by": by,
        "series": [*names, *(["other"] if any(p[2] == len(names) for p in points) else [])],
    }
