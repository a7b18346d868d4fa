-- The directory's own audit log: every change of a credential, whose doing it was, and which spans of time were read.

create table cs.audit_change (
  tenant text not null,
  -- The directory's id of the entry; one entry may tell of several credentials.
  entry text not null check (octet_length(entry) <= 200),
  -- Empty: the entry does not tell which.
  credential text not null check (octet_length(credential) <= 64),
  act text not null check (act in ('added', 'removed', 'unreadable')),
  -- When the directory says that it happened, and when we first read it.
  at bigint not null,
  read_at bigint not null,
  object_id text not null,
  holder text not null check (holder in ('application', 'service-principal')),
  kind text not null check (kind in ('client-secret', 'certificate', 'other')),
  activity text not null check (octet_length(activity) <= 500),
  correlation text,
  actor_kind text not null check (actor_kind in ('person', 'application', 'unnamed')),
  -- Object id of a person, appId of an application.
  actor text,
  marker jsonb,
  verdict text not null check (verdict in ('ours', 'break-glass', 'out-of-band', 'unknown')),
  because text not null,
  run_id text,
  step text,
  direction text,
  attempt integer,
  primary key (tenant, entry, credential, act)
);
create index audit_change_at on cs.audit_change (tenant, at, entry);
create index audit_change_unknown on cs.audit_change (tenant, read_at) where verdict = 'unknown';
create index audit_change_credential on cs.audit_change (object_id, credential);

-- A span that is being read; one per tenant, so that a worker goes on where another has died.
create table cs.audit_poll (
  tenant text primary key,
  from_at bigint not null,
  to_at bigint not null,
  link text check (octet_length(link) <= 8192),
  -- When its first page was asked for: later entries may be missing in it.
  asked_at bigint not null,
  worker uuid not null,
  entries bigint not null default 0,
  changes bigint not null default 0,
  unreadable bigint not null default 0
);

-- Spans that were read. `settled`: so long ago that late entries had come.
create table cs.audit_span (
  tenant text not null,
  settled boolean not null,
  from_at bigint not null,
  to_at bigint not null,
  primary key (tenant, settled, from_at),
  check (from_at <= to_at)
);

-- How each tenant's log answers.
create table cs.audit_source (
  tenant text primary key,
  read_at bigint,
  deep_at bigint,
  -- Since when the directory does not give it to us.
  refused_at bigint
);

create index step_removes on cs.step ((intent ->> 'keyId')) where intent ? 'keyId';

-- One attempt of the journal in the words of the judgement.
create function cs.audit_attempt(p_step cs.step) returns jsonb language sql stable as $$
  select jsonb_build_object('run', p_step.run_id, 'step', p_step.step, 'direction', p_step.direction, 'attempt', p_step.attempt,
    'intentAt', p_step.intent_at, 'outcome', p_step.outcome, 'objectId', r.target ->> 'objectId',
    'breakGlass', exists (select from cs.break_glass b where b.run_id = p_step.run_id))
  from cs.run r where r.id = p_step.run_id
$$;

-- What our journal knows of changed credentials [{credential, nonce}]: {credential, made, removals}, in their order.
create function cs.audit_facts(p_credentials jsonb) returns setof jsonb
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('audit');
  return query
    select jsonb_build_object('made', cs.audit_attempt(m), 'removals', coalesce((
      select jsonb_agg(cs.audit_attempt(s) order by s.seq desc) from step s
      where s.intent ->> 'keyId' = c.credential and s.intent ? 'keyId'
        -- What an attempt has made is taken away by its own step.
        or m.run_id is not null and s.run_id = m.run_id and s.step = m.step and s.direction <> 'do'), '[]'))
    from jsonb_array_elements(p_credentials) with ordinality as e(value, place)
      cross join lateral (select e.value ->> 'credential' as credential, e.value ->> 'nonce' as nonce) c
      left join lateral (select s.* from step s where s.nonce = c.nonce and s.direction = 'do' limit 1) m on true
    order by e.place;
end $$;

-- Takes up the span that another worker has left, or opens one. Null: a live worker reads this tenant's log.
create function cs.audit_open(
  p_tenant text, p_from bigint, p_to bigint, p_worker uuid, p_lease_ms integer, p_at bigint
) returns jsonb language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_poll audit_poll%rowtype;
begin
  perform cs.must('audit');
  insert into audit_poll as a (tenant, from_at, to_at, asked_at, worker) values (p_tenant, p_from, p_to, p_at, p_worker)
    on conflict (tenant) do update set worker = excluded.worker
      where a.worker = excluded.worker or not exists (
        select from worker w where w.id = a.worker and w.gone_at is null
          and w.beat_at > clock_timestamp() - p_lease_ms * interval '1 millisecond')
    returning * into v_poll;
  if not found then return null; end if;
  return jsonb_build_object('from', v_poll.from_at, 'to', v_poll.to_at, 'link', v_poll.link, 'entries', v_poll.entries,
    'unreadable', v_poll.unreadable, 'verdicts', coalesce((
      select jsonb_object_agg(verdict, n) from (select verdict, count(*) as n from audit_change
        where tenant = p_tenant and at between v_poll.from_at and v_poll.to_at and read_at >= v_poll.asked_at
          and v_poll.link is not null group by verdict) c), '{}'));
end $$;

-- The worker's own span, or an error.
create function cs.audit_own(p_tenant text, p_worker uuid) returns cs.audit_poll language plpgsql as $$
declare
  v_poll cs.audit_poll%rowtype;
begin
  select * into v_poll from cs.audit_poll where tenant = p_tenant and worker = p_worker for update;
  if not found then
    raise exception 'expected the audit log of % to be read here', p_tenant using errcode = 'CS003';
  end if;
  return v_poll;
end $$;

-- Writes the changes of one page, each once, with the notice that a new one is to be told by, and where the next page is.
-- p_link null: there is none. Returns the new ones: ["<entry> <credential> <act>"].
create function cs.audit_page(
  p_tenant text, p_worker uuid, p_changes jsonb, p_seen bigint, p_unreadable bigint, p_link text, p_at bigint
) returns jsonb language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_new jsonb;
  v_notices jsonb;
begin
  perform cs.must('audit');
  perform cs.audit_own(p_tenant, p_worker);
  with given as (
    select * from jsonb_to_recordset(p_changes) as c(entry text, credential text, act text, at bigint, "objectId" text,
      holder text, kind text, activity text, correlation text, "actorKind" text, actor text, marker jsonb, verdict text,
      because text, run text, step text, direction text, attempt integer, notice jsonb)
  ), fresh as (
    insert into audit_change (tenant, entry, credential, act, at, read_at, object_id, holder, kind, activity, correlation,
        actor_kind, actor, marker, verdict, because, run_id, step, direction, attempt)
      select p_tenant, entry, credential, act, at, p_at, "objectId", holder, kind, activity, correlation, "actorKind", actor,
        marker, verdict, because, run, step, direction, attempt from given
      on conflict do nothing returning entry, credential, act
  )
  select coalesce(jsonb_agg(concat_ws(' ', f.entry, f.credential, f.act)), '[]'),
      jsonb_agg(g.notice) filter (where g.notice is not null) into v_new, v_notices
    from fresh f join given g using (entry, credential, act);
  perform cs.notices(null, v_notices, p_at);
  update audit_poll set link = p_link, entries = entries + p_seen, changes = changes + jsonb_array_length(v_new),
    unreadable = unreadable + p_unreadable where tenant = p_tenant;
  if v_new <> '[]' then perform pg_notify('cs_changed', ''); end if;
  return v_new;
end $$;

-- Begins a span anew: its link is not known any more.
create function cs.audit_restart(p_tenant text, p_worker uuid, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('audit');
  perform cs.audit_own(p_tenant, p_worker);
  update audit_poll set link = null, asked_at = p_at where tenant = p_tenant;
end $$;

-- Adds a span to those that were read; what touches becomes one.
create function cs.audit_cover(p_tenant text, p_settled boolean, p_from bigint, p_to bigint) returns void language plpgsql as $$
declare
  v_from bigint;
  v_to bigint;
begin
  if p_to < p_from then return; end if;
  with gone as (
    delete from cs.audit_span where tenant = p_tenant and settled = p_settled and from_at <= p_to and to_at >= p_from
    returning from_at, to_at
  )
  select least(p_from, min(from_at)), greatest(p_to, max(to_at)) into v_from, v_to from gone;
  insert into cs.audit_span values (p_tenant, p_settled, v_from, v_to);
end $$;

-- Ends a span. p_read: it was read to its end; else the directory does not give us its log. p_data: canonical data of
-- audit.read, or null where nothing is to be written down.
create function cs.audit_end(
  p_tenant text, p_worker uuid, p_read boolean, p_deep boolean, p_late_ms bigint, p_data text, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_poll cs.audit_poll%rowtype;
begin
  perform cs.must('audit');
  v_poll := cs.audit_own(p_tenant, p_worker);
  delete from audit_poll where tenant = p_tenant;
  insert into audit_source as s (tenant, read_at, deep_at, refused_at)
    values (p_tenant, case when p_read then p_at end, case when p_read and p_deep then p_at end, case when not p_read then p_at end)
    on conflict (tenant) do update set read_at = coalesce(excluded.read_at, s.read_at),
      deep_at = coalesce(excluded.deep_at, s.deep_at),
      refused_at = case when p_read then null else coalesce(s.refused_at, excluded.refused_at) end;
  if p_read then
    perform cs.audit_cover(p_tenant, false, v_poll.from_at, v_poll.to_at);
    perform cs.audit_cover(p_tenant, true, v_poll.from_at, least(v_poll.to_at, v_poll.asked_at - p_late_ms));
  end if;
  perform pg_notify('cs_changed', '');
  if p_data is not null then perform journal.append(null, 'audit.read', p_data, p_at); end if;
end $$;

-- Judges again what could not be told before.
create function cs.audit_rejudge(p_tenant text, p_changes jsonb, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_notices jsonb;
begin
  perform cs.must('audit');
  with given as (
    select * from jsonb_to_recordset(p_changes) as c(entry text, credential text, act text, verdict text, because text,
      run text, step text, direction text, attempt integer, notice jsonb)
  ), changed as (
    update audit_change a set verdict = g.verdict, because = g.because, run_id = g.run, step = g.step, direction = g.direction,
        attempt = g.attempt
      from given g where a.tenant = p_tenant and (a.entry, a.credential, a.act) = (g.entry, g.credential, g.act)
        and a.verdict = 'unknown' and g.verdict <> 'unknown' returning g.notice
  )
  select jsonb_agg(notice) filter (where notice is not null) into v_notices from changed;
  perform cs.notices(null, v_notices, p_at);
end $$;

insert into cs.permission (role, act) values ('cs_scanner', 'audit');
set local role cs_log;
insert into journal.may (role, type, direct) values ('cs_scanner', 'audit.read', false);
reset role;
grant execute on function cs.audit_facts, cs.audit_open, cs.audit_page, cs.audit_restart, cs.audit_end, cs.audit_rejudge to cs_scanner;
grant select on cs.audit_change, cs.audit_poll, cs.audit_span, cs.audit_source to cs_scanner, cs_api, cs_executor;
