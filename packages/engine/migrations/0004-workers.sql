-- Who works on what. Leases are real time of the database alone; the fence is the token.
create function cs.worker_start(p_id uuid, p_role text, p_host text, p_boot_id text, p_pid integer, p_pid_started text)
returns void language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('worker');
  insert into worker (id, role, host, boot_id, pid, pid_started, started_at, beat_at)
    values (p_id, p_role, p_host, p_boot_id, p_pid, p_pid_started, clock_timestamp(), clock_timestamp())
    on conflict (id) do nothing; -- the reply to the first try may have been lost
end $$;

-- True when the beat counts. A late beat, or one of a worker given up for dead, never revives it.
create function cs.beat(p_id uuid, p_lease_ms integer) returns boolean
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('worker');
  update worker set beat_at = clock_timestamp()
    where id = p_id and gone_at is null and beat_at > clock_timestamp() - p_lease_ms * interval '1 millisecond';
  if found then return true; end if;
  update worker set refused_at = coalesce(refused_at, clock_timestamp()) where id = p_id;
  return false;
end $$;

create function cs.worker_stop(p_id uuid) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('worker');
  update worker set gone_at = clock_timestamp(), gone_as = 'stopped' where id = p_id and gone_at is null;
  perform pg_notify('cs_due', '');
end $$;

-- The caller has seen that these processes are dead (same host: process id and start time, or another boot).
create function cs.worker_proven_dead(p_ids uuid[]) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('claim');
  update worker set gone_at = coalesce(gone_at, clock_timestamp()), gone_as = 'proven'
    where id = any (p_ids) and gone_as is distinct from 'stopped';
end $$;

create function cs.dead_workers(p_me uuid, p_lease_ms integer, p_call_deadline_ms integer, p_proven uuid[])
returns table (id uuid, proven boolean, silent_ms bigint) language sql volatile as $$
  select w.id, w.id = any (p_proven) or coalesce(w.gone_as in ('stopped', 'proven'), false),
    (extract(epoch from clock_timestamp() - w.beat_at) * 1000)::bigint
  from cs.worker w
  where w.id is distinct from p_me and exists (select from cs.run r where r.worker = w.id)
    and (w.id = any (p_proven) or w.gone_as in ('stopped', 'proven')
      or w.beat_at < clock_timestamp() - (p_lease_ms + p_call_deadline_ms) * interval '1 millisecond')
$$;

-- Tenants with a free run that waits for a time, by hops over the index.
create function cs.waiting_tenants() returns setof text language sql stable as $$
  with recursive t(name) as (
    select min(tenant) from cs.run where worker is null and not_before is not null
    union all
    select (select min(r.tenant) from cs.run r where r.worker is null and r.not_before is not null and r.tenant > t.name)
    from t where t.name is not null
  )
  select name from t where name is not null
$$;

-- Runs that somebody should claim: due and free, a fair share of each tenant, or left by a dead worker.
create function cs.due_runs(
  p_me uuid, p_now bigint, p_lease_ms integer, p_call_deadline_ms integer, p_proven uuid[], p_limit integer
) returns setof text language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('claim');
  return query
    select x.id from (
      select r.id, 0::bigint as k from dead_workers(p_me, p_lease_ms, p_call_deadline_ms, p_proven) d join run r on r.worker = d.id
      union all
      select f.id, f.k from waiting_tenants() t, lateral (
        select r.id, row_number() over (order by r.not_before, r.id) as k from run r
        where r.tenant = t and r.worker is null and r.not_before <= p_now order by r.not_before, r.id limit p_limit
      ) f
    ) x order by x.k limit p_limit;
end $$;

-- Gives due runs to a worker and bumps their fence. p_run: that one or none. p_now is domain time; leases are real time.
-- A tenant's runs in other hands, lost ones included, count against p_tenant_max; lost ones themselves always go first.
create function cs.claim(
  p_worker uuid, p_now bigint, p_lease_ms integer, p_call_deadline_ms integer, p_proven uuid[], p_limit integer,
  p_tenant_max integer, p_run text
) returns table (run jsonb, previous_worker uuid, proven_dead boolean, silent_ms bigint)
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_tenants text[];
begin
  perform cs.must('claim');
  -- One claim at a time: tenant limits are exact.
  perform pg_advisory_xact_lock(hashtextextended('cs.claim', 0));
  if not exists (select from worker where id = p_worker and gone_at is null
      and beat_at > clock_timestamp() - p_lease_ms * interval '1 millisecond') then
    raise exception 'expected a live worker, got %', p_worker using errcode = 'CS007';
  end if;
  if p_run is null then
    v_tenants := array(select waiting_tenants());
  else
    v_tenants := array(select r.tenant from run r where r.id = p_run);
  end if;
  return query
  with dead as materialized (
    select * from dead_workers(p_worker, p_lease_ms, p_call_deadline_ms, p_proven)
  ), lost as (
    select r.id, 0::bigint as k, d.id as previous, d.proven, d.silent_ms
    from dead d join run r on r.worker = d.id where p_run is null or r.id = p_run
  ), free as (
    select due.id, held.n + due.k as k
    from unnest(v_tenants) t,
      lateral (select count(*) as n from run r where r.worker is not null and r.tenant = t) held,
      lateral (
        select c.id, row_number() over (order by c.not_before, c.id) as k from (
          (select r.id, r.not_before from run r
            where p_run is null and r.tenant = t and r.worker is null and r.not_before <= p_now
            order by r.not_before, r.id limit greatest(p_tenant_max - held.n, 0))
          union all
          (select r.id, r.not_before from run r
            where r.id = p_run and r.worker is null and r.not_before <= p_now and held.n < p_tenant_max)
        ) c
      ) due
  ), pick as (
    select * from (
      select * from lost union all select f.id, f.k, null::uuid, null::boolean, null::bigint from free f
    ) x order by x.k limit p_limit
  ), given_up as (
    -- From here on its beats are refused, whatever it still believes.
    update worker w set gone_at = coalesce(w.gone_at, clock_timestamp()),
        gone_as = case when p.proven and w.gone_as is distinct from 'stopped' then 'proven' else coalesce(w.gone_as, 'lease') end
      from (select distinct pick.previous, pick.proven from pick where pick.previous is not null) p where w.id = p.previous
  )
  update run r set worker = p_worker, fence = r.fence + 1, attempts = r.attempts + 1
    from pick p
    where r.id = p.id and r.worker is not distinct from p.previous and (p.previous is not null or r.not_before <= p_now)
    returning to_jsonb(r), p.previous, p.proven, p.silent_ms;
end $$;

-- Puts a run back to wait, without a move: nothing happened that evidence would tell of.
create function cs.release(p_run text, p_fence bigint, p_worker uuid, p_not_before bigint, p_data jsonb, p_at bigint)
returns void language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_held boolean;
begin
  perform cs.must('transition');
  update run r set worker = null, data = coalesce(p_data, data), updated_at = p_at,
      -- A word left by a person while the run was held is due at once.
      not_before = case when r.asked is not null
        then least(p_not_before, p_at) else p_not_before end
    where id = p_run and fence = p_fence and worker = p_worker;
  if not found then perform cs.refuse(p_run, p_fence, null); end if;
  perform cs.changed(p_run, true);
end $$;

-- Keeps small working data of a run one holds.
create function cs.data_put(p_run text, p_fence bigint, p_worker uuid, p_data jsonb) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('transition');
  update run set data = p_data where id = p_run and fence = p_fence and worker = p_worker;
  if not found then perform cs.refuse(p_run, p_fence, null); end if;
end $$;

-- Writes entries about a run one holds, with data and notices, without a move. p_answered: what a person asked is settled.
create function cs.note(
  p_run text, p_fence bigint, p_worker uuid, p_at bigint, p_data jsonb, p_entries jsonb, p_notices jsonb,
  p_answered boolean
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('transition');
  perform cs.hold_still(p_run, p_fence, p_worker);
  if p_data is not null then update run set data = p_data where id = p_run; end if;
  if p_answered then
    update run set asked = null where id = p_run;
    update directive set taken_at = p_at where run_id = p_run and taken_at is null;
  end if;
  perform cs.notices(p_run, p_notices, p_at);
  perform cs.changed(p_run, false);
  perform cs.append_all(p_run, p_entries, p_at);
end $$;

-- Commits that an effect is about to be tried.
create function cs.intent(
  p_run text, p_fence bigint, p_worker uuid, p_step text, p_direction text, p_attempt integer, p_verb text, p_call text,
  p_nonce text, p_target text, p_facts text, p_at bigint
) returns jsonb language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_state text;
  v_step step%rowtype;
begin
  perform cs.must('journal');
  v_state := cs.hold_still(p_run, p_fence, p_worker);
  if v_state not in ('executing', 'overlapping', 'retiring', 'rolling_back') then
    raise exception 'expected a state with effects, got %', v_state using errcode = 'CS003';
  end if;
  insert into step (run_id, step, direction, attempt, verb, call, fence, nonce, intent, intent_at)
    values (p_run, p_step, p_direction, p_attempt, p_verb, p_call, p_fence, p_nonce, p_facts::jsonb, p_at)
    returning * into v_step;
  perform cs.changed(p_run, false);
  perform journal.append(p_run, 'step.intent', '{"attempt":' || p_attempt || ',"call":' || quote(p_call)
    || ',"direction":' || quote(p_direction) || ',"facts":' || p_facts || ',"step":' || quote(p_step)
    || ',"target":' || p_target || ',"verb":' || quote(p_verb) || '}', p_at);
  return to_jsonb(v_step);
end $$;

-- Commits what became of an attempt. `unknown` may be followed by a later outcome; `done` and `failed` are final.
create function cs.outcome(
  p_run text, p_fence bigint, p_worker uuid, p_step text, p_direction text, p_attempt integer, p_outcome text,
  p_build text, p_connector text, p_error text, p_facts text, p_object_ids text, p_request_ids text, p_verified text,
  p_at bigint
) returns jsonb language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_step step%rowtype;
begin
  perform cs.must('journal');
  perform cs.hold_still(p_run, p_fence, p_worker);
  update step set outcome = p_outcome, outcome_at = p_at,
      outcome_data = jsonb_build_object('error', p_error::jsonb, 'facts', p_facts::jsonb, 'objectIds', p_object_ids::jsonb,
        'requestIds', p_request_ids::jsonb, 'verified', p_verified),
      resolved_at = case when p_outcome <> 'unknown' then p_at end
    where run_id = p_run and step = p_step and direction = p_direction and attempt = p_attempt
      and (outcome is null or outcome = 'unknown')
    returning * into v_step;
  if not found then
    raise exception 'expected an open attempt % of step %', p_attempt, p_step using errcode = 'CS003';
  end if;
  perform cs.changed(p_run, false);
  perform journal.append(p_run, 'step.outcome', '{"attempt":' || p_attempt || ',"build":' || quote(p_build)
    || ',"call":' || quote(v_step.call) || ',"connector":' || p_connector || ',"direction":' || quote(p_direction)
    || ',"error":' || coalesce(p_error, 'null') || ',"facts":' || p_facts || ',"objectIds":' || p_object_ids
    || ',"outcome":' || quote(p_outcome) || ',"requestIds":' || p_request_ids || ',"step":' || quote(p_step)
    || ',"verb":' || quote(v_step.verb) || ',"verified":' || quote(p_verified) || '}', p_at);
  return to_jsonb(v_step);
end $$;

-- An unknown creation counts as absent, or its late twin is removed. Also after the run has closed: no entry is made.
create function cs.step_resolve(p_run text, p_step text, p_direction text, p_attempt integer, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('journal');
  update step set resolved_at = p_at where run_id = p_run and step = p_step and direction = p_direction
    and attempt = p_attempt and outcome = 'unknown' and resolved_at is null;
end $$;

-- Writes an entry that tells of no state change here. An executor's entry of a run needs the run's fence.
create function cs.append(p_run text, p_type text, p_data text, p_at bigint, p_fence bigint, p_worker uuid) returns bigint
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('append');
  if not journal.may_direct(p_type) then
    raise exception 'expected a login that may write %, got %', p_type, session_user using errcode = '42501';
  end if;
  if p_run is not null then perform cs.hold_still(p_run, p_fence, p_worker); end if;
  return journal.append(p_run, p_type, p_data, p_at);
end $$;
