"""When each phase of an attempt began and what ended it, the newest run of a job, and the place of a run in the queue."""

import django.db.models.deletion
from django.db import migrations, models

FUNCTIONS = """
-- What keeps this workspace's queued runs waiting: how many are before each of them, of whichever workspace.
create or replace function jobs_waiting() returns table (run_id uuid, ahead int)
language sql stable security definer set search_path = public, pg_temp as $$
  with turns as (
    select r.id, r.workspace_id, r.created_at, row_number() over (partition by r.workspace_id order by r.created_at) as turn
    from jobs_jobrun r where r.state = 'queued' and r.due_at <= clock_timestamp()
  ), places as (
    select t.id, t.workspace_id, row_number() over (order by t.turn, t.created_at) as place from turns t
  )
  select r.id, coalesce(p.place - 1, 0)::int
  from jobs_jobrun r left join places p on p.id = r.id
  where r.state = 'queued' and r.workspace_id = nullif(current_setting('boathouse.workspace', true), '')::uuid
$$;

-- How many runs are under way, in all workspaces: a number and nothing more.
create or replace function jobs_slots_taken() returns int
language sql stable security definer set search_path = public, pg_temp as $$
  select count(*)::int from jobs_jobrun where state in ('starting', 'running', 'canceling')
$$;
"""
FILLED = """
update jobs_job j set newest_run_id = r.id from jobs_jobrun r
where r.job_id = j.resource_id and r.number = (select max(number) from jobs_jobrun where job_id = j.resource_id);
update jobs_attempt a set due_at = r.created_at from jobs_jobrun r where r.id = a.run_id and a.number = 1;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("jobs", "0002_walls_and_functions"),
    ]

    operations = [
        migrations.AddField(
            model_name="attempt",
            name="cause",
            field=models.CharField(
                blank=True,
                choices=[
                    ("exit", "Exit"),
                    ("signal", "Signal"),
                    ("out_of_memory", "Out Of Memory"),
                    ("out_of_disk", "Out Of Disk"),
                    ("timeout", "Timeout"),
                    ("environment", "Environment"),
                    ("refused", "Refused"),
                    ("unstarted", "Unstarted"),
                    ("lost", "Lost"),
                    ("shutdown", "Shutdown"),
                    ("canceled", "Canceled"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="attempt",
            name="due_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="attempt",
            name="environment_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="attempt",
            name="exited_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="attempt",
            name="ready_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="job",
            name="newest_run",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to="jobs.jobrun"
            ),
        ),
        migrations.AddField(
            model_name="jobrun",
            name="note",
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.RunSQL(FILLED, migrations.RunSQL.noop),
        migrations.RunSQL(FUNCTIONS, "drop function jobs_waiting(); drop function jobs_slots_taken()"),
    ]
