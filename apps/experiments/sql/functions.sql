-- The ingest and the openings of searches. Each is one statement for its caller: scope, token scopes, level, write. They run as the
-- program's role, inside the wall. A returned code is '' when done; else the word of a meaning, with the detail that its sentence needs.

-- Whether the scopes of a token cover this room.
create or replace function experiments_allowed(p_scopes jsonb, p_writing boolean) returns boolean
language sql immutable as $$
  select p_scopes ?| case when p_writing then array['all', 'experiments']
                          else array['all', 'experiments', 'read', 'all:read', 'experiments:read'] end
$$;

-- A run by its id, for somebody who needs a level: the run's number, or why not. Writing waits for the run's lock.
create or replace function experiments_open_run(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_run uuid, p_needs int,
  out code text, out detail text, out run bigint, out number bigint, out activity text)
language plpgsql as $$
declare
  v_resource uuid;
  v_trashed boolean;
  v_level int;
begin
  perform set_config('boathouse.workspace', p_workspace::text, true);
  code := ''; detail := '';
  select r.id, r.experiment_number, r.experiment_id, e.deleted_at is not null, r.activity
    into run, number, v_resource, v_trashed, activity
    from experiments_run r join access_resource e on e.id = r.experiment_id where r.uuid = p_run;
  if run is null then code := 'not_found'; return; end if;
  v_level := access_level(p_user, v_resource);
  if v_level = 0 then code := 'not_found'; run := null; return; end if;
  if v_level < p_needs then code := 'forbidden'; detail := v_level::text; run := null; return; end if;
  if not experiments_allowed(p_scopes, p_needs > 2) then code := 'scope'; run := null; return; end if;
  if p_needs > 2 then
    perform 1 from experiments_run r where r.id = run and r.deleted_at is null for no key update;
    if not found or v_trashed then code := 'not_active'; run := null; end if;
  end if;
end $$;

-- The metrics, params and tags of a run as items of a JSON list.
create or replace function experiments_metrics_text(p_run bigint) returns text language sql stable as $$
  select coalesce(string_agg('{"key":' || to_json(key)::text || ',"value":' || to_json(value)::text || ',"timestamp":' || timestamp
         || ',"step":' || step || '}', ',' order by key), '') from experiments_runmetric where run_id = p_run
$$;
create or replace function experiments_params_text(p_run bigint) returns text language sql stable as $$
  select coalesce(string_agg('{"key":' || to_json(key)::text || ',"value":' || to_json(value)::text || '}', ',' order by key), '')
    from experiments_runparam where run_id = p_run
$$;
create or replace function experiments_tags_text(p_run bigint) returns text language sql stable as $$
  select coalesce(string_agg('{"key":' || to_json(key)::text || ',"value":' || to_json(value)::text || '}', ',' order by key), '')
    from experiments_runtag where run_id = p_run
$$;

-- Set tags of a run whose lock is held. The tag mlflow.runName and the run's name stay equal; an empty name leaves both.
create or replace function experiments_put_tags(p_workspace uuid, p_run bigint, p_number bigint, p_keys text[], p_values text[])
returns void language plpgsql as $$
begin
  insert into experiments_runtag as t (workspace_id, experiment_number, run_id, key, value)
    select p_workspace, p_number, p_run, n.key, n.value from unnest(p_keys, p_values) n(key, value)
    on conflict (run_id, key) do update set value = excluded.value where t.value <> excluded.value;
  if 'mlflow.runName' = any(p_keys) then
    update experiments_run set name = n.value from unnest(p_keys, p_values) n(key, value)
      where id = p_run and n.key = 'mlflow.runName' and n.value <> '' and name <> n.value;
  end if;
  update experiments_runsummary set tags = experiments_tags_text(p_run) where run_id = p_run;
end $$;

-- Log metrics, params and tags to one run: all or nothing. What was logged before changes nothing; each point comes once in a call.
create or replace function experiments_log(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_run uuid,
  p_keys text[], p_values float8[], p_times bigint[], p_steps bigint[],
  p_param_keys text[], p_param_values text[], p_tag_keys text[], p_tag_values text[],
  p_models uuid[] default null, p_dataset_names text[] default null, p_dataset_digests text[] default null,
  out code text, out detail text)
language plpgsql as $$
declare
  o record;
  v_fresh int;
  v_count int;
  v_model uuid;
begin
  select * into o from experiments_open_run(p_workspace, p_user, p_scopes, p_run, 5);
  code := o.code; detail := o.detail;
  if code <> '' then return; end if;

  if cardinality(p_param_keys) > 0 then
    select n.key || chr(31) || p.value || chr(31) || n.value into detail
      from unnest(p_param_keys, p_param_values) n(key, value)
      join experiments_runparam p on p.run_id = o.run and p.key = n.key and p.value <> n.value limit 1;
    if found then code := 'param_changed'; return; end if;
    detail := '';
  end if;
  if p_models is not null then
    for v_model in select distinct m from unnest(p_models) m where m is not null loop
      select coalesce(max(access_level(p_user, m.experiment_id)), 0) into v_count from experiments_loggedmodel m where m.uuid = v_model;
      if v_count < 5 then
        code := case when v_count = 0 then 'model_not_found' else 'forbidden' end; detail := v_model::text; return;
      end if;
    end loop;
    insert into experiments_modelmetric (workspace_id, model, run_id, key, value, timestamp, step, dataset_name, dataset_digest)
      select p_workspace, n.model, o.run, n.key, n.value, n.ts, n.step, coalesce(n.name, ''), coalesce(n.digest, '')
      from unnest(p_models, p_keys, p_values, p_times, p_steps, p_dataset_names, p_dataset_digests)
           n(model, key, value, ts, step, name, digest) where n.model is not null
      on conflict do nothing;
  end if;

  if cardinality(p_param_keys) > 0 then
    insert into experiments_runparam (workspace_id, experiment_number, run_id, key, value)
      select p_workspace, o.number, o.run, n.key, n.value from unnest(p_param_keys, p_param_values) n(key, value)
      on conflict do nothing;
    update experiments_runsummary set params = experiments_params_text(o.run) where run_id = o.run;
  end if;
  if cardinality(p_tag_keys) > 0 then
    perform experiments_put_tags(p_workspace, o.run, o.number, p_tag_keys, p_tag_values);
  end if;
  if cardinality(p_keys) > 0 then
    if p_models is null then
      -- Nobody else writes this run now, so what is newer than the latest point is new; only the rest is looked up.
      insert into experiments_metricpoint (workspace_id, run_id, key, timestamp, step, value)
        select p_workspace, o.run, n.key, n.ts, n.step, n.value from unnest(p_keys, p_times, p_steps, p_values) n(key, ts, step, value)
        left join experiments_runmetric l on l.run_id = o.run and l.key = n.key
        where l.key is null or (n.step, n.ts, n.value) > (l.step, l.timestamp, l.value)
           or not exists (select 1 from experiments_metricpoint p where p.run_id = o.run and p.key = n.key and p.timestamp = n.ts
                          and p.step = n.step and p.value = n.value);
    else
      insert into experiments_metricpoint (workspace_id, run_id, key, timestamp, step, value)
        select p_workspace, o.run, n.key, n.ts, n.step, n.value from unnest(p_keys, p_times, p_steps, p_values) n(key, ts, step, value)
        on conflict do nothing;
    end if;
    insert into experiments_runmetric as l (workspace_id, experiment_number, run_id, key, value, step, timestamp)
      select distinct on (n.key) p_workspace, o.number, o.run, n.key, n.value, n.step, n.ts
      from unnest(p_keys, p_times, p_steps, p_values) n(key, ts, step, value)
      order by n.key, n.step desc, n.ts desc, n.value desc
      on conflict (run_id, key) do update set value = excluded.value, step = excluded.step, timestamp = excluded.timestamp
      where (excluded.step, excluded.timestamp, excluded.value) > (l.step, l.timestamp, l.value);
    get diagnostics v_fresh = row_count;
    if v_fresh > 0 then
      -- With many keys written one by one, readers put the text together instead of each writer doing it again.
      select metric_count into v_count from experiments_runsummary where run_id = o.run;
      if v_count <= 256 or v_fresh * 4 >= v_count then
        update experiments_runsummary set metrics = experiments_metrics_text(o.run),
               metric_count = (select count(*) from experiments_runmetric where run_id = o.run) where run_id = o.run;
      else
        update experiments_runsummary set metrics = null where run_id = o.run and metrics is not null;
      end if;
    end if;
  end if;
end $$;

-- A new run in an experiment, with its tags.
create or replace function experiments_create_run(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_number bigint, p_uuid uuid, p_name text, p_claimed_user text, p_start bigint,
  p_tag_keys text[], p_tag_values text[], p_activity text, p_receipt jsonb,
  out code text, out detail text, out location text, out tags text)
language plpgsql as $$
declare
  v_resource uuid;
  v_trashed boolean;
  v_level int;
  v_run bigint;
begin
  perform set_config('boathouse.workspace', p_workspace::text, true);
  code := ''; detail := '';
  select e.resource_id, r.deleted_at is not null, e.artifact_location into v_resource, v_trashed, location
    from experiments_experiment e join access_resource r on r.id = e.resource_id where e.number = p_number;
  v_level := case when v_resource is null then 0 else access_level(p_user, v_resource) end;
  if v_level = 0 then code := 'no_experiment'; return; end if;
  if v_level < 5 then code := 'forbidden'; detail := v_level::text; return; end if;
  if not experiments_allowed(p_scopes, true) then code := 'scope'; return; end if;
  if v_trashed then code := 'experiment_not_active'; return; end if;
  insert into experiments_run (workspace_id, experiment_id, experiment_number, uuid, name, claimed_user, status, start_time, created_at,
                               created_by_id, activity, receipt)
    values (p_workspace, v_resource, p_number, p_uuid, p_name, p_claimed_user, 'RUNNING', p_start, now(), p_user, p_activity, p_receipt)
    returning id into v_run;
  insert into experiments_runsummary (run_id, workspace_id, metrics, params, tags, inputs, outputs, metric_count)
    values (v_run, p_workspace, '', '', '', '', '', 0);
  perform experiments_put_tags(p_workspace, v_run, p_number, p_tag_keys, p_tag_values);
  select s.tags into tags from experiments_runsummary s where s.run_id = v_run;
end $$;

-- The same for a token that belongs to no activity: what an activity's run is told takes more than one statement.
create or replace function experiments_start_run(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_activity text, p_number bigint, p_uuid uuid, p_name text, p_claimed_user text,
  p_start bigint, p_tag_keys text[], p_tag_values text[], out code text, out detail text, out location text, out tags text)
language plpgsql as $$
begin
  if p_activity <> '' then code := 'activity'; return; end if;
  select r.code, r.detail, r.location, r.tags into code, detail, location, tags
    from experiments_create_run(p_workspace, p_user, p_scopes, p_number, p_uuid, p_name, p_claimed_user, p_start, p_tag_keys,
                                p_tag_values, '', null) r;
end $$;

-- Change a run's status, end or name (null leaves each), and what it is then. When it ended, its summary is whole again.
drop function if exists experiments_update_run;
create or replace function experiments_update_run(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_run uuid, p_status text, p_end bigint, p_name text,
  out code text, out detail text, out uuid uuid, out number bigint, out name text, out claimed_user text, out status text,
  out start_time bigint, out end_time bigint, out location text)
language plpgsql as $$
declare
  o record;
begin
  select * into o from experiments_open_run(p_workspace, p_user, p_scopes, p_run, 5);
  code := o.code; detail := o.detail;
  if code <> '' then return; end if;
  update experiments_run r set status = coalesce(p_status, r.status), end_time = coalesce(p_end, r.end_time) where r.id = o.run;
  if p_name <> '' then
    perform experiments_put_tags(p_workspace, o.run, o.number, array['mlflow.runName'], array[p_name]);
  end if;
  if p_status in ('FINISHED', 'FAILED', 'KILLED') then
    update experiments_runsummary set metrics = experiments_metrics_text(o.run) where run_id = o.run and metrics is null;
  end if;
  select r.uuid, r.experiment_number, r.name, r.claimed_user, r.status, r.start_time, r.end_time, e.artifact_location
    into uuid, number, name, claimed_user, status, start_time, end_time, location
    from experiments_run r join experiments_experiment e on e.resource_id = r.experiment_id where r.id = o.run;
end $$;

-- Take a tag off a run.
create or replace function experiments_delete_tag(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_run uuid, p_key text, out code text, out detail text)
language plpgsql as $$
declare
  o record;
begin
  select * into o from experiments_open_run(p_workspace, p_user, p_scopes, p_run, 5);
  code := o.code; detail := o.detail;
  if code <> '' then return; end if;
  delete from experiments_runtag where run_id = o.run and key = p_key;
  if not found then code := 'no_tag'; detail := p_key; return; end if;
  update experiments_runsummary set tags = experiments_tags_text(o.run) where run_id = o.run;
end $$;

-- Which of these experiments (all for null) the caller may see; opens the scope for the reads that follow in the same transaction,
-- and notes in boathouse.reader whom they are for.
create or replace function experiments_open(p_workspace uuid, p_user uuid, p_scopes jsonb, p_numbers bigint[])
returns table (number bigint, trashed boolean, location text)
language plpgsql as $$
declare
  v_all boolean;
begin
  -- Short reads over index ranges: compiling them or spreading them over workers costs more than it saves.
  perform set_config('boathouse.workspace', p_workspace::text, true), set_config('jit', 'off', true),
          set_config('max_parallel_workers_per_gather', '0', true), set_config('random_page_cost', '1.1', true),
          set_config('boathouse.reader', case when experiments_allowed(p_scopes, false) then p_user::text else '' end, true);
  if not experiments_allowed(p_scopes, false) then return; end if;
  v_all := access_level(p_user, (select r.id from access_resource r where r.kind = 'workspace')) >= 2;
  return query
    select e.number, r.deleted_at is not null, e.artifact_location
    from experiments_experiment e join access_resource r on r.id = e.resource_id
    where (p_numbers is null or e.number = any(p_numbers)) and (v_all or e.resource_id in (select access_visible(p_user, 2)));
end $$;

-- An experiment in MLflow's shape, without its workspace and its end.
create or replace function experiments_experiment_text(
  p_number bigint, p_plain_name text, p_path text, p_location text, p_tags jsonb, p_trashed boolean, p_changed timestamptz,
  p_created timestamptz) returns text
language sql immutable as $$
  select concat(
    '{"experiment_id":"', p_number, '","name":', to_json(coalesce(p_plain_name, p_path)), ',"artifact_location":',
    to_json(coalesce(nullif(p_location, ''), 'mlflow-artifacts:/' || p_number)), ',"lifecycle_stage":"',
    case when p_trashed then 'deleted' else 'active' end, '","last_update_time":', round(extract(epoch from p_changed) * 1000)::bigint,
    ',"creation_time":', round(extract(epoch from p_created) * 1000)::bigint,
    ',"tags":[' || (select string_agg('{"key":' || to_json(key)::text || ',"value":' || to_json(value)::text || '}', ',')
                    from jsonb_each_text(p_tags)) || ']')
$$;

-- What an experiment copies of its resource follows it: its path, and whether it lies in the trash.
create or replace function experiments_follow_resource() returns trigger language plpgsql as $$
begin
  update experiments_experiment set path = new.path, trashed = new.deleted_at is not null where resource_id = new.id;
  return null;
end $$;

-- A page of the experiments that the caller may see, the newest first, as items of a JSON list; where it ended when there is more.
-- p_trashed: null for all. (p_created, p_number): where the page before it ended; null to begin.
create or replace function experiments_list(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_trashed boolean, p_size bigint, p_created bigint, p_number bigint,
  out items text, out last_created bigint, out last_number bigint)
language plpgsql set plan_cache_mode = force_generic_plan as $$
declare
  v_from bigint := coalesce(p_created, 9223372036854775807);
  v_all boolean;
  v_end text;
begin
  perform set_config('boathouse.workspace', p_workspace::text, true);
  if not experiments_allowed(p_scopes, false) then return; end if;
  v_all := access_level(p_user, (select r.id from access_resource r where r.kind = 'workspace')) >= 2;
  select ',"workspace":' || to_json(w.name)::text || '}' into v_end from access_workspace w where w.id = p_workspace;
  -- The rows come to the aggregates in the order of the index; sorting them again would take as long as reading them.
  select string_agg(shown, v_end || ',') || v_end, min(created_millis), (array_agg(number))[count(*)]
    into items, last_created, last_number
    from (select e.shown, e.created_millis, e.number from experiments_experiment e
          where e.created_millis <= v_from and (p_created is null or e.created_millis < p_created or e.number > p_number)
            and (p_trashed is null or e.trashed = p_trashed) and (v_all or e.resource_id in (select access_visible(p_user, 2)))
          order by e.created_millis desc, e.number limit p_size) page;
  if not exists (select 1 from experiments_experiment e
                 where e.created_millis <= last_created and (e.created_millis < last_created or e.number > last_number)
                   and (p_trashed is null or e.trashed = p_trashed) and (v_all or e.resource_id in (select access_visible(p_user, 2)))) then
    last_created := null; last_number := null;
  end if;
end $$;

-- The ids in what a client says of data sets and models that a run read or made, as JSON text for its summary.
create or replace function experiments_inputs_text(p_run bigint) returns text language sql stable as $$
  select case when d is null and m is null then '' else '{' || concat_ws(',', '"dataset_inputs":[' || d || ']', '"model_inputs":[' || m || ']') || '}' end
  from (select
    (select string_agg('{' || case when i.tags = '{}' then '' else '"tags":' || (select json_agg(json_build_object('key', key, 'value', value))
              from jsonb_each_text(i.tags))::text || ',' end || '"dataset":' || jsonb_strip_nulls(jsonb_build_object('name', s.name, 'digest', s.digest,
              'source_type', s.source_type, 'source', s.source, 'schema', nullif(s.schema, ''), 'profile', nullif(s.profile, '')))::text || '}', ','
              order by i.id)
       from experiments_runinput i join experiments_dataset s on s.id = i.dataset_id where i.run_id = p_run) d,
    (select string_agg('{"model_id":"m-' || replace(model::text, '-', '') || '"}', ',' order by id)
       from experiments_runmodel where run_id = p_run and role = 'input') m) found
$$;
create or replace function experiments_outputs_text(p_run bigint) returns text language sql stable as $$
  select coalesce('{"model_outputs":[' || string_agg('{"model_id":"m-' || replace(model::text, '-', '') || '","step":' || step || '}', ','
         order by id) || ']}', '') from experiments_runmodel where run_id = p_run and role = 'output'
$$;

-- Note data sets that a run read and logged models that it read or made. p_datasets: [{name, digest, source_type, source, schema,
-- profile, tags}].
create or replace function experiments_log_links(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_run uuid, p_datasets jsonb, p_inputs uuid[], p_outputs uuid[], p_steps bigint[],
  out code text, out detail text)
language plpgsql as $$
declare
  o record;
  v_model uuid;
  v_experiment uuid;
begin
  select * into o from experiments_open_run(p_workspace, p_user, p_scopes, p_run, 5);
  code := o.code; detail := o.detail;
  if code <> '' then return; end if;
  foreach v_model in array p_inputs || p_outputs loop
    if not exists (select 1 from experiments_loggedmodel m where m.uuid = v_model and access_level(p_user, m.experiment_id) >= 2) then
      code := 'model_not_found'; detail := v_model::text; return;
    end if;
  end loop;
  select experiment_id into v_experiment from experiments_run where id = o.run;
  insert into experiments_dataset (workspace_id, experiment_id, name, digest, source_type, source, schema, profile)
    select distinct on (d.name, d.digest) p_workspace, v_experiment, d.name, d.digest, coalesce(d.source_type, ''), coalesce(d.source, ''),
           coalesce(d.schema, ''), coalesce(d.profile, '')
    from jsonb_to_recordset(p_datasets) d(name text, digest text, source_type text, source text, schema text, profile text)
    order by d.name, d.digest
    on conflict do nothing;
  insert into experiments_runinput as i (workspace_id, run_id, dataset_id, tags, context)
    select distinct on (s.id) p_workspace, o.run, s.id, coalesce(d.tags, '{}'), coalesce(d.tags ->> 'mlflow.data.context', '')
    from jsonb_to_recordset(p_datasets) d(name text, digest text, tags jsonb)
    join experiments_dataset s on s.experiment_id = v_experiment and s.name = d.name and s.digest = d.digest
    order by s.id
    on conflict (run_id, dataset_id) do nothing;
  insert into experiments_runmodel (workspace_id, run_id, model, role, step)
    select p_workspace, o.run, n.model, 'input', 0 from unnest(p_inputs) n(model)
    union all
    select p_workspace, o.run, n.model, 'output', n.step from unnest(p_outputs, p_steps) n(model, step)
    on conflict do nothing;
  update experiments_runsummary set inputs = experiments_inputs_text(o.run), outputs = experiments_outputs_text(o.run) where run_id = o.run;
end $$;

-- A run as its summary has it, for somebody who may view it.
create or replace function experiments_read_run(p_workspace uuid, p_user uuid, p_scopes jsonb, p_run uuid)
returns table (code text, detail text, uuid uuid, number bigint, name text, claimed_user text, status varchar, start_time bigint,
               end_time bigint, deleted boolean, metrics text, params text, tags text, inputs text, outputs text, location text)
language plpgsql as $$
declare
  o record;
begin
  select * into o from experiments_open_run(p_workspace, p_user, p_scopes, p_run, 2);
  if o.code <> '' then
    return query select o.code, o.detail, null::uuid, null::bigint, null, null, null::varchar, null::bigint, null::bigint, null::boolean,
                        null, null, null, null, null, null;
    return;
  end if;
  return query
    select '', '', r.uuid, r.experiment_number, r.name, r.claimed_user, r.status, r.start_time, r.end_time,
           r.deleted_at is not null or x.deleted_at is not null, coalesce(s.metrics, experiments_metrics_text(r.id)), s.params, s.tags,
           s.inputs, s.outputs, e.artifact_location
    from experiments_run r
    join experiments_experiment e on e.resource_id = r.experiment_id
    join access_resource x on x.id = r.experiment_id
    join experiments_runsummary s on s.run_id = r.id
    where r.id = o.run;
end $$;

-- A page of a metric's points in order of (timestamp, step, value), as items of a JSON list; where it ended when there is more.
create or replace function experiments_history(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_run uuid, p_key text, p_size bigint,
  p_timestamp bigint, p_step bigint, p_value float8,
  out code text, out detail text, out items text, out last_timestamp bigint, out last_step bigint, out last_value float8)
language plpgsql as $$
declare
  o record;
  v_count bigint;
begin
  select * into o from experiments_open_run(p_workspace, p_user, p_scopes, p_run, 2);
  code := o.code; detail := o.detail;
  if code <> '' then return; end if;
  with points as materialized (
    select p.timestamp, p.step, p.value, row_number() over (order by p.timestamp, p.step, p.value) as place
    from experiments_metricpoint p
    where p.run_id = o.run and p.key = p_key
      and (p_timestamp is null or (p.timestamp, p.step, p.value) > (p_timestamp, p_step, p_value))
    order by p.timestamp, p.step, p.value limit p_size + 1
  )
  select count(*), string_agg('{"key":' || to_json(p_key)::text || ',"value":' || to_json(value)::text || ',"timestamp":' || timestamp
         || ',"step":' || step || '}', ',' order by place) filter (where place <= p_size)
    into v_count, items from points;
  if v_count > p_size then
    select p.timestamp, p.step, p.value into last_timestamp, last_step, last_value
    from experiments_metricpoint p
    where p.run_id = o.run and p.key = p_key
      and (p_timestamp is null or (p.timestamp, p.step, p.value) > (p_timestamp, p_step, p_value))
    order by p.timestamp, p.step, p.value offset p_size - 1 limit 1;
  end if;
end $$;

-- At most p_size points of a run's metric, evenly over its steps, first and last included; all three ends may be null.
create or replace function experiments_sample(
  p_workspace uuid, p_user uuid, p_scopes jsonb, p_run uuid, p_key text, p_size int, p_first bigint, p_last bigint,
  out code text, out detail text, out items text)
language plpgsql as $$
declare
  o record;
begin
  select * into o from experiments_open_run(p_workspace, p_user, p_scopes, p_run, 2);
  code := o.code; detail := o.detail;
  if code <> '' then return; end if;
  with points as (
    select p.timestamp, p.step, p.value, row_number() over w - 1 as place, count(*) over () as total
    from experiments_metricpoint p
    where p.run_id = o.run and p.key = p_key and (p_first is null or p.step >= p_first) and (p_last is null or p.step <= p_last)
    window w as (order by p.step, p.timestamp, p.value)
  )
  select string_agg('{"run_id":"' || replace(p_run::text, '-', '') || '","key":' || to_json(p_key)::text || ',"value":' || to_json(value)::text
         || ',"timestamp":' || timestamp || ',"step":' || step || '}', ',' order by place) into items
  from points
  where total <= p_size or place = total - 1
     or (p_size > 1 and (place * (p_size - 1)) / (total - 1) <> ((place - 1) * (p_size - 1)) / (total - 1)) or (p_size > 1 and place = 0);
end $$;
