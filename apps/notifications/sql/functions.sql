-- What the sweep may see and the upkeep may delete across workspaces, on these two tables and nothing else.

-- Entries that were committed some time ago and not told since, oldest first.
create or replace function notifications_untold(p_seconds int) returns table (workspace_id uuid, entry_id bigint)
language sql stable security definer set search_path = public, pg_temp as $$
  select o.workspace_id, o.entry_id from notifications_outbox o
  where o.created_at < now() - make_interval(secs => p_seconds) and o.created_at > now() - interval '2 days'
  order by o.created_at limit 1000
$$;

-- Delete notices that nobody will look for any more, and what could not be told for days; how many notices.
create or replace function notifications_forget_old() returns int
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  gone int;
begin
  delete from notifications_notice where created_at < now() - interval '180 days';
  get diagnostics gone = row_count;
  delete from notifications_outbox where created_at < now() - interval '7 days';
  return gone;
end $$;
