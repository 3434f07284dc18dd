-- What the scoring route asks with each request, for all that wait: whom each token acts for, and what that account may do
-- with the endpoint of this name in the token's workspace. No row for a token that opens nothing.
create or replace function deployments_scoring_gate(p_hashes bytea[], p_names text[])
returns table (place int, workspace_id text, user_id text, email text, user_label text, scopes jsonb,
               endpoint_id text, level int, state text, routing text)
-- one plan for any number of requests: planning anew takes three times as long as asking
language sql stable security definer set search_path = public, pg_temp set plan_cache_mode = force_generic_plan as $$
  select q.place::int, t.workspace_id::text, t.user_id::text, t.email::text, coalesce(nullif(t.email, ''), t.user_name)::text, t.scopes,
         r.id::text, case when r.id is null then 0 else access_level(t.user_id, r.id) end, e.state::text, e.routing
  from unnest(p_hashes, p_names) with ordinality as q(hash, name, place)
  cross join lateral (select * from access_resolve_token(q.hash) limit 1) t
  left join deployments_endpoint e on e.workspace_id = t.workspace_id and e.name = q.name
  left join access_resource r on r.id = e.resource_id and r.deleted_at is null
$$;

-- Which endpoints the reconciler must look at, across workspaces: those that are not at rest.
create or replace function deployments_to_reconcile()
returns table (workspace_id uuid, endpoint_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
  select e.workspace_id, e.resource_id
  from deployments_endpoint e join access_resource r on r.id = e.resource_id
  where (e.wants_running and r.deleted_at is null) or e.state <> 'stopped'
     or (r.deleted_at is null) <> (e.name is not null)
     or exists (select 1 from deployments_servedversion s join deployments_replica p on p.served_id = s.id
                where s.endpoint_id = e.resource_id and p.state in ('starting', 'ready', 'draining'))
$$;

-- Where an endpoint's journal records go, across workspaces: its inference table.
create or replace function deployments_tables_of(p_endpoints uuid[])
returns table (endpoint_id uuid, workspace_id uuid, table_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
  select e.resource_id, e.workspace_id, e.inference_table_id from deployments_endpoint e where e.resource_id = any(p_endpoints)
$$;

-- Whether a served version may still have replicas, so that its files stay.
create or replace function deployments_is_served(p_served text) returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
  select exists (select 1 from deployments_servedversion s where s.id::text = p_served and s.state not in ('ended', 'failed'))
$$;
