-- Ledger, notices, scans, people, attachments, sessions, freeze.

-- Records listed credentials: [{objectId, appId, application, id, kind, startsAt, expiresAt, marker}]. A known one keeps
-- its state; a new one is ours only if its marker's nonce is one of a committed intent.
create function cs.credential_seen(p_tenant text, p_rows jsonb, p_at bigint) returns integer
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_count integer;
begin
  perform cs.must('credential_seen');
  insert into credential as c (tenant, object_id, id, app_id, application, kind, state, run_id, marker, starts_at, expires_at, seen_at)
    select p_tenant, r."objectId", r.id, r."appId", r.application, r.kind,
      case when r.marker is null then 'foreign' when n.run_id is null then 'unknown'
        when is_final(n.state) then 'orphan' else 'ours-unpublished' end,
      n.run_id, r.marker, r."startsAt", r."expiresAt", p_at
    from jsonb_to_recordset(p_rows) as r("objectId" text, "appId" text, application text, id text, kind text,
        "startsAt" bigint, "expiresAt" bigint, marker jsonb)
      left join lateral (
        select s.run_id, u.state from step s join run u on u.id = s.run_id
        where r.marker is not null and s.nonce = r.marker ->> 'nonce' and s.direction = 'do'
          and s.run_id = r.marker ->> 'run' limit 1
      ) n on true
    order by r."objectId", r.id
    on conflict (tenant, object_id, id) do update set seen_at = greatest(c.seen_at, excluded.seen_at),
      gone_at = null, app_id = excluded.app_id, application = excluded.application, kind = excluded.kind,
      starts_at = excluded.starts_at, expires_at = excluded.expires_at, marker = coalesce(excluded.marker, c.marker),
      run_id = coalesce(c.run_id, excluded.run_id),
      -- Listed before its intent was visible here, or given up before its run closed: judged again.
      state = case when c.state in ('unknown', 'foreign') and excluded.run_id is not null then excluded.state
        when c.state = 'ours-unpublished' and excluded.state = 'orphan' then 'orphan' else c.state end;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- What a whole listing that began at p_since did not show is gone.
create function cs.credential_gone(p_tenant text, p_since bigint, p_at bigint) returns integer
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_count integer;
begin
  perform cs.must('credential_seen');
  update credential set gone_at = p_at where tenant = p_tenant and gone_at is null and seen_at < p_since;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

-- The executor's word about one credential.
create function cs.credential_set(
  p_tenant text, p_object_id text, p_id text, p_app_id text, p_application text, p_kind text, p_state text, p_run text,
  p_starts_at bigint, p_expires_at bigint, p_at bigint, p_gone boolean
) returns void language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('credential_set');
  insert into credential as c (tenant, object_id, id, app_id, application, kind, state, run_id, starts_at, expires_at, seen_at, gone_at)
    values (p_tenant, p_object_id, p_id, p_app_id, p_application, p_kind, p_state, p_run, p_starts_at, p_expires_at, p_at,
      case when p_gone then p_at end)
    on conflict (tenant, object_id, id) do update set state = excluded.state, run_id = coalesce(excluded.run_id, c.run_id),
      starts_at = coalesce(excluded.starts_at, c.starts_at), expires_at = coalesce(excluded.expires_at, c.expires_at),
      seen_at = greatest(c.seen_at, excluded.seen_at), gone_at = excluded.gone_at;
end $$;

-- Puts a notice into the outbox once per key; true when it is new.
create function cs.notice_put(p_run text, p_kind text, p_channel text, p_key text, p_payload jsonb, p_not_before bigint, p_at bigint)
returns boolean language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('notice_put');
  insert into notice (run_id, kind, channel, key, payload, state, attempts, not_before, created_at, updated_at)
    values (p_run, p_kind, p_channel, p_key, p_payload, 'due', 0, p_not_before, p_at, p_at) on conflict (key) do nothing;
  if found then perform pg_notify('cs_notice', ''); end if;
  return found;
end $$;

-- Takes due notices; each is due again at p_again unless settled before.
create function cs.notice_take(p_now bigint, p_again bigint, p_limit integer) returns setof jsonb
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('notice_take');
  return query
    update notice n set attempts = n.attempts + 1, not_before = p_again, updated_at = p_now
    from (select id from notice where state = 'due' and not_before <= p_now order by not_before limit p_limit
      for update skip locked) due
    where n.id = due.id returning to_jsonb(n);
end $$;

-- Says what became of an attempt to send, with its entry. An entry about a closed run stands outside that run's chain.
create function cs.notice_settle(
  p_id bigint, p_attempt integer, p_outcome text, p_status integer, p_state text, p_not_before bigint, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_notice notice%rowtype;
begin
  perform cs.must('notice_take');
  update notice set state = p_state, not_before = coalesce(p_not_before, not_before), updated_at = p_at
    where id = p_id and attempts = p_attempt and state = 'due' returning * into v_notice;
  if not found then
    raise exception 'expected attempt % of notice % to be under way', p_attempt, p_id using errcode = 'CS003';
  end if;
  if v_notice.run_id is not null then perform from run where id = v_notice.run_id for share; end if;
  perform journal.append(case when not journal.is_closed(v_notice.run_id) then v_notice.run_id end, 'notice.sent',
    '{"attempt":' || p_attempt || ',"channel":' || cs.quote(v_notice.channel) || ',"kind":' || cs.quote(v_notice.kind)
    || ',"outcome":' || cs.quote(p_outcome) || ',"status":' || coalesce(p_status::text, 'null') || '}', p_at);
end $$;

-- True for the one worker that does the scan due at p_due_at; a scan left by a dead worker may be taken, three times at most.
create function cs.scan_begin(p_id text, p_tenant text, p_due_at bigint, p_worker uuid, p_lease_ms integer, p_at bigint)
returns boolean language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('scan');
  insert into scan as s (id, tenant, due_at, state, worker, attempts, started_at)
    values (p_id, p_tenant, p_due_at, 'running', p_worker, 1, p_at)
    on conflict (tenant, due_at) do update
      set id = excluded.id, state = 'running', worker = excluded.worker, attempts = s.attempts + 1, started_at = p_at
      where s.attempts < 3 and (s.state = 'failed' or s.state = 'running' and not exists (
        select from worker w where w.id = s.worker and w.gone_at is null
          and w.beat_at > clock_timestamp() - p_lease_ms * interval '1 millisecond'));
  return found;
end $$;

-- Ends a scan. p_data: canonical data of scan.completed; null when it failed.
create function cs.scan_end(p_id text, p_worker uuid, p_data text, p_findings jsonb, p_at bigint) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('scan');
  update scan set state = case when p_data is null then 'failed' else 'done' end, finished_at = p_at,
      applications = (p_data::jsonb ->> 'applications')::integer, findings = (p_data::jsonb ->> 'findings')::integer
    where id = p_id and worker = p_worker and state = 'running';
  if not found then
    raise exception 'expected scan % to be running here', p_id using errcode = 'CS003';
  end if;
  insert into finding (scan_id, code, result, observed, required, target, at)
    select p_id, code, result, observed, required, coalesce(target, '{}'), p_at
    from jsonb_to_recordset(coalesce(p_findings, '[]'))
      as f(code text, result text, observed text, required text, target jsonb);
  perform pg_notify('cs_changed', '');
  if p_data is not null then perform journal.append(null, 'scan.completed', p_data, p_at); end if;
end $$;

create function cs.person_put(p_id text, p_iss text, p_sub text, p_name text, p_email text) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('person');
  insert into person (id, iss, sub, name, email) values (p_id, p_iss, p_sub, p_name, p_email)
    on conflict (id) do update set iss = excluded.iss, sub = excluded.sub, name = excluded.name, email = excluded.email,
      erased_at = null;
end $$;

create function cs.person_erase(p_id text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('erase');
  update person set iss = null, sub = null, name = null, email = null, erased_at = p_at where id = p_id;
  delete from session where person = p_id;
end $$;

create function cs.attachment_put(p_bytes bytea, p_kind text, p_at bigint) returns text
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('attachment');
  return cs.attach(p_bytes, p_kind, p_at);
end $$;

create function cs.attachment_erase(p_digest text, p_by text, p_reason_digest text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('erase');
  update attachment set bytes = null, erased_at = p_at, erased_by = p_by where digest = p_digest and erased_at is null;
  if not found then
    raise exception 'expected attachment %, got none to erase', p_digest using errcode = 'CS004';
  end if;
  perform journal.append(null, 'attachment.erased', '{"attachment":' || cs.quote(p_digest) || ',"by":' || cs.quote(p_by)
    || ',"reasonDigest":' || cs.quote(p_reason_digest) || '}', p_at);
end $$;

create function cs.session_put(p_hash bytea, p_person text, p_data jsonb, p_at bigint, p_expires_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('session');
  delete from session where expires_at <= p_at;
  insert into session (hash, person, data, created_at, expires_at) values (p_hash, p_person, p_data, p_at, p_expires_at)
    on conflict (hash) do update set data = excluded.data, expires_at = excluded.expires_at where session.person = p_person;
end $$;

create function cs.session_delete(p_hash bytea, p_person text) returns integer
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_count integer;
begin
  perform cs.must('session');
  delete from session where hash = p_hash or person = p_person;
  get diagnostics v_count = row_count;
  return v_count;
end $$;

create function cs.freeze(p_scope text, p_frozen boolean, p_person text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('freeze');
  if p_scope <> 'all' and p_scope !~ '^tenant:.' then
    raise exception 'expected scope all or tenant:<name>' using errcode = '22023';
  end if;
  insert into control (scope, frozen, person, at) values (p_scope, p_frozen, p_person, p_at)
    on conflict (scope) do update set frozen = excluded.frozen, person = excluded.person, at = excluded.at;
  perform pg_notify('cs_control', p_scope);
end $$;
