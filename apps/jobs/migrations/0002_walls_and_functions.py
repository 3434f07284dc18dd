"""The workspace walls of this room, and the looks across workspaces that slots and the sweeper need."""

from django.db import migrations

from apps.access.rls import EnableWall

FUNCTIONS = """
-- Whether one more run may be under way; whoever asks keeps others from asking until its transaction ends.
create or replace function jobs_take_slot(p_slots int) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('jobs_take_slot', 0));
  return (select count(*) from jobs_jobrun where state in ('starting', 'running', 'canceling')) < p_slots;
end $$;

-- The runs that nobody drives and that are due, noted as sent: all that are under way, and as many queued ones as slots are free,
-- workspaces in turn and the oldest of each first. A message takes a while, so a run is named again after ten seconds at the earliest.
create or replace function jobs_send_due(p_slots int) returns table (workspace_id uuid, run_id uuid, queue varchar)
language sql security definer set search_path = public, pg_temp as $$
  with busy as (
    select r.id from jobs_jobrun r
    where r.state in ('starting', 'running', 'canceling')
      and not exists (select 1 from jobs_attempt a where a.run_id = r.id and a.lease_until > clock_timestamp()
                      and a.state in ('starting', 'running', 'canceling'))
  ), waiting as (
    select q.id from (
      select r.id, r.created_at, row_number() over (partition by r.workspace_id order by r.created_at) as turn
      from jobs_jobrun r where r.state = 'queued' and r.due_at <= clock_timestamp()
    ) q order by q.turn, q.created_at
    limit greatest(0, p_slots - (select count(*)::int from jobs_jobrun where state in ('starting', 'running', 'canceling')))
  ), sent as (
    update jobs_jobrun r set sent_at = clock_timestamp()
    where r.id in (select id from busy union select id from waiting)
      and (r.sent_at is null or r.sent_at < clock_timestamp() - interval '10 seconds' or r.sent_at < r.due_at)
    returning r.workspace_id, r.id, r.queue, r.created_at
  )
  select s.workspace_id, s.id, s.queue from sent s order by s.created_at
$$;
"""
GONE = "drop function jobs_take_slot(int); drop function jobs_send_due(int)"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial"), ("access", "0002_walls_and_functions")]
    operations = [
        EnableWall("Job", "JobEnvironment", "JobRun", "Attempt", "LogChunk"),
        migrations.RunSQL(FUNCTIONS, GONE),
    ]
