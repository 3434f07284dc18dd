-- The few functions that the program's role may call. Definer functions look across workspaces on named tables, nothing else does.

-- Who a token acts for: one row while it lives, its account is active and its membership is not suspended; else none.
create or replace function access_resolve_token(p_hash bytea)
returns table (workspace_id uuid, workspace_name varchar, user_id uuid, token_id uuid, scopes jsonb, activity varchar,
               user_kind varchar, email varchar, user_name varchar)
language sql stable security definer set search_path = public, pg_temp as $$
  select t.workspace_id, w.name, t.user_id, t.id, t.scopes, t.activity, u.kind, u.email, u.name
  from access_token t
  join access_user u on u.id = t.user_id and u.is_active
  join access_workspace w on w.id = t.workspace_id
  join access_membership m on m.workspace_id = t.workspace_id and m.user_id = t.user_id and m.suspended_at is null
  where t.hash = p_hash and t.revoked_at is null and (t.expires_at is null or t.expires_at > now())
$$;

-- The workspaces that an account may enter now.
create or replace function access_memberships_of(p_user uuid)
returns table (workspace_id uuid, workspace_name varchar, workspace_title varchar)
language sql stable security definer set search_path = public, pg_temp as $$
  select w.id, w.name, w.title
  from access_membership m
  join access_user u on u.id = m.user_id and u.is_active
  join access_workspace w on w.id = m.workspace_id
  where m.user_id = p_user and m.suspended_at is null
  order by w.name
$$;

-- An account's level (0 none, 1 discover ... 6 manage) on a resource, inside the workspace scope of the caller.
create or replace function access_level(p_user uuid, p_resource uuid) returns int
language sql stable as $$
  select coalesce(max(found.level), 0)::int from (
    select 6 as level
    from access_resourceancestor a join access_resource r on r.id = a.ancestor_id
    where a.resource_id = p_resource and r.owner_id = p_user
    union all
    select g.level
    from access_resourceancestor a join access_usergrant g on g.resource_id = a.ancestor_id
    where a.resource_id = p_resource and g.user_id = p_user and (g.expires_at is null or g.expires_at > now())
    union all
    select g.level
    from access_resourceancestor a
    join access_groupgrant g on g.resource_id = a.ancestor_id
    join access_groupmember m on m.group_id = g.group_id and m.user_id = p_user
    where a.resource_id = p_resource and (g.expires_at is null or g.expires_at > now())
  ) found
$$;

-- The resources on which an account holds at least a level, inside the workspace scope of the caller.
create or replace function access_visible(p_user uuid, p_level int) returns setof uuid
language sql stable as $$
  select a.resource_id from access_resourceancestor a where a.ancestor_id in (
    select r.id from access_resource r where r.owner_id = p_user
    union all
    select g.resource_id from access_usergrant g
    where g.user_id = p_user and g.level >= p_level and (g.expires_at is null or g.expires_at > now())
    union all
    select g.resource_id from access_groupgrant g join access_groupmember m on m.group_id = g.group_id and m.user_id = p_user
    where g.level >= p_level and (g.expires_at is null or g.expires_at > now()))
$$;

-- Seal a workspace's new audit entries into its hash chain; how many. hash = sha256(previous hash || the entry as text).
create or replace function access_seal_audit(p_workspace uuid) returns int
language plpgsql security definer set search_path = public, pg_temp set timezone = 'UTC' as $$
declare
  entry access_auditentry%rowtype;
  previous bytea;
  place bigint;
  sealed int := 0;
begin
  perform pg_advisory_xact_lock(hashtextextended('audit:' || p_workspace::text, 0));
  select hash, position into previous, place from access_auditentry
    where workspace_id = p_workspace and position is not null order by position desc limit 1;
  place := coalesce(place, 0);
  for entry in
    select * from access_auditentry where workspace_id = p_workspace and position is null order by id limit 5000
  loop
    place := place + 1;
    entry.position := place;
    previous := sha256(coalesce(previous, '\x00'::bytea) || convert_to((to_jsonb(entry) - 'hash')::text, 'UTF8'));
    update access_auditentry set hash = previous, position = place where id = entry.id;
    sealed := sealed + 1;
  end loop;
  return sealed;
end $$;

-- The id of the first entry whose seal does not fit, or null when the chain is whole.
create or replace function access_check_audit(p_workspace uuid) returns bigint
language plpgsql stable security definer set search_path = public, pg_temp set timezone = 'UTC' as $$
declare
  entry access_auditentry%rowtype;
  previous bytea;
begin
  for entry in select * from access_auditentry where workspace_id = p_workspace and position is not null order by position loop
    previous := sha256(coalesce(previous, '\x00'::bytea) || convert_to((to_jsonb(entry) - 'hash')::text, 'UTF8'));
    if previous <> entry.hash then return entry.id; end if;
  end loop;
  return null;
end $$;

-- The workspaces that have unsealed audit entries.
create or replace function access_unsealed_workspaces() returns setof uuid
language sql stable security definer set search_path = public, pg_temp as $$
  select distinct workspace_id from access_auditentry where position is null
$$;

-- Delete what is of no use any more, in all workspaces; how many rows.
create or replace function access_forget_old() returns int
language plpgsql security definer set search_path = public, pg_temp as $$
declare
  gone int := 0;
  part int;
begin
  delete from access_idempotentanswer where created_at < now() - interval '2 days';
  get diagnostics part = row_count; gone := gone + part;
  delete from access_loginfailure where at < now() - interval '1 day';
  get diagnostics part = row_count; gone := gone + part;
  delete from access_signinlink where expires_at < now() - interval '1 day';
  get diagnostics part = row_count; gone := gone + part;
  delete from access_token where kind = 'run' and expires_at < now() - interval '7 days';
  get diagnostics part = row_count; gone := gone + part;
  delete from access_session where expire_date < now();
  get diagnostics part = row_count; gone := gone + part;
  return gone;
end $$;
