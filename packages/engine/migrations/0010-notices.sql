-- Who is told over which channel, and how far it came. A notice is what happened (committed with the move it tells of); a
-- delivery is that notice on its way over one channel to one recipient. Each delivery has its own state and backoff: a dead
-- channel delays nobody. All waits are rows with not_before in domain time.
drop function cs.notice_take(bigint, bigint, integer);
drop function cs.notice_settle(bigint, integer, text, integer, text, bigint, bigint);

alter table cs.notice drop constraint notice_state_check;
-- `routed`: its deliveries are under way. `void`: nothing was left to say when it came due.
alter table cs.notice add constraint notice_state_check check (state in ('due', 'routed', 'sent', 'failed', 'void'));
-- What is told, as it was when the notice was routed: the same in every attempt.
alter table cs.notice add column facts jsonb check (octet_length(facts::text) <= 131072);
create index notice_run on cs.notice (run_id, id) where run_id is not null;

-- Every move that people are to hear of is told in the transaction that makes it, whoever makes it: cs.move of 0003 with
-- its last lines.
create or replace function cs.move(
  p_run text, p_fence bigint, p_worker uuid, p_from text, p_to text, p_not_before bigint, p_at bigint, p_because text,
  p_entries jsonb, p_release boolean, p_data jsonb, p_take jsonb, p_answered boolean
) returns bigint language plpgsql as $$
declare
  v_final boolean := cs.is_final(p_to);
  v_fence bigint;
begin
  if not exists (select from cs.may_move where role = session_user and from_state = p_from and to_state = p_to) then
    raise exception 'expected a login that may move % to %, got %', p_from, p_to, session_user using errcode = '42501';
  end if;
  update cs.run set state = p_to, fence = fence + 1, attempts = 0, updated_at = p_at, data = coalesce(p_data, data),
      asked = case when not v_final and p_to <> 'rolling_back' and not p_answered then asked end,
      not_before = case when not v_final then p_not_before end,
      worker = case when not v_final and not p_release then worker end
    where id = p_run and fence = p_fence and state = p_from and worker is not distinct from p_worker
    returning fence into v_fence;
  if not found then perform cs.refuse(p_run, p_fence, p_from); end if;
  if v_final then
    delete from cs.run_lock where run_id = p_run;
  elsif p_to not in ('executing', 'rolling_back') then
    delete from cs.run_lock where run_id = p_run and held = 'effects';
  end if;
  if v_final or p_to = 'rolling_back' or p_answered then
    update cs.directive set taken_at = p_at where run_id = p_run and taken_at is null;
  end if;
  if p_take is not null and not v_final then perform cs.take_locks(p_run, p_take); end if;
  perform cs.changed(p_run, not v_final and p_release and p_not_before is not null);

  perform cs.append_all(p_run, p_entries, p_at);
  perform journal.append(p_run, 'run.moved', '{"because":' || coalesce(p_because, 'null') || ',"fence":' || v_fence
    || ',"from":' || cs.quote(p_from) || ',"to":' || cs.quote(p_to) || '}', p_at);
  if v_final then
    perform journal.append(p_run, 'run.closed', '{"entries":' || journal.run_length(p_run) + 1
      || ',"state":' || cs.quote(p_to) || '}', p_at);
  end if;
  if v_final or p_to in ('awaiting_approval', 'executing', 'overlapping', 'held', 'rolling_back') then
    perform cs.notices(p_run, jsonb_build_array(jsonb_build_object('kind', 'run.' || replace(p_to, '_', '-'),
      'channel', 'owners', 'key', p_run || ':' || v_fence, 'payload', jsonb_build_object('because', p_because::jsonb))), p_at);
  end if;
  return v_fence;
end $$;

-- Channels of the configuration and how they fare.
create table cs.channel (
  name text primary key check (name ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
  kind text not null check (kind ~ '^[a-z]{1,20}$'),
  configured boolean not null,
  -- Failed attempts in a row, since when, and when the others were told of it.
  failures integer not null default 0,
  failing_since bigint,
  reported_at bigint,
  -- The outside asked for a pause.
  paused_until bigint,
  last_sent_at bigint,
  last_failed_at bigint,
  last_code text,
  last_status integer
);

-- One ticket per matter: an application whose rotation is in trouble, until a run of it completes. The row and its key are
-- there before the ticket is; a crash or a lost reply is settled by looking for the key outside.
create table cs.ticket (
  id bigint generated always as identity primary key,
  channel text not null references cs.channel,
  target_key text not null,
  key text not null check (key ~ '^cs-[a-z0-9_-]{1,60}$'),
  run_id text not null references cs.run,
  -- What people call the one before it, which somebody closed by hand while the trouble went on.
  follows text,
  -- The notice whose text the ticket opens with.
  notice_id bigint not null references cs.notice,
  -- `closed`: the matter is settled; `left`: somebody closed it by hand.
  state text not null check (state in ('wanted', 'open', 'closed', 'left')),
  intents integer not null default 0,
  intent_at bigint,
  external_id text,
  external_key text,
  url text,
  created_at bigint not null,
  updated_at bigint not null,
  unique (channel, key)
);
create unique index ticket_open on cs.ticket (channel, target_key) where state in ('wanted', 'open');

create table cs.delivery (
  id bigint generated always as identity primary key,
  notice_id bigint not null references cs.notice,
  channel text not null references cs.channel,
  -- Opaque id of a person, or an address of the configuration by its number; empty: the channel has one receiver.
  recipient text not null default '',
  ticket_id bigint references cs.ticket,
  -- `bundled`: waits for the recipient's digest; `digested`: stands in one that is under way.
  state text not null check (state in ('due', 'bundled', 'digested', 'sent', 'failed')),
  digest_id bigint references cs.notice,
  attempts integer not null default 0,
  not_before bigint not null,
  code text,
  status integer,
  created_at bigint not null,
  updated_at bigint not null,
  unique (notice_id, channel, recipient)
);
create index delivery_due on cs.delivery (channel, not_before) where state = 'due';
create index delivery_next on cs.delivery (not_before) where state in ('due', 'bundled');
create index delivery_ticket on cs.delivery (ticket_id, id) where ticket_id is not null and state = 'due';
create index delivery_digest on cs.delivery (digest_id) where digest_id is not null;
create index delivery_listed on cs.delivery (channel, id desc);

-- The channels of this configuration: [{"name", "kind"}]. What is on its way over one that is no longer configured fails.
create function cs.channels_set(p_channels jsonb, p_at bigint) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_lost record;
begin
  perform cs.must('notice_take');
  insert into channel (name, kind, configured)
    select name, kind, true from jsonb_to_recordset(p_channels) as c(name text, kind text) order by name
    on conflict (name) do update set kind = excluded.kind, configured = true;
  update channel set configured = false where configured and not exists (
    select from jsonb_to_recordset(p_channels) as c(name text) where c.name = channel.name);
  for v_lost in select d.id from delivery d join channel c on c.name = d.channel
      where d.state in ('due', 'bundled') and not c.configured order by d.id loop
    perform cs.delivery_end(v_lost.id, 'failed', 'channel-gone', null, p_at);
  end loop;
end $$;

-- Ends a delivery, with its entry, and its notice with the last of its deliveries.
create function cs.delivery_end(p_id bigint, p_outcome text, p_code text, p_status integer, p_at bigint) returns void
language plpgsql as $$
declare
  v_delivery cs.delivery%rowtype;
begin
  -- Two channels that end the same notice at the same moment: the second one must see the first.
  perform from cs.notice where id = (select notice_id from cs.delivery where id = p_id)
      or id in (select d.notice_id from cs.delivery d where d.digest_id = (select notice_id from cs.delivery where id = p_id))
    order by id for update;
  update cs.delivery set state = case p_outcome when 'done' then 'sent' else 'failed' end, code = p_code, status = p_status,
      updated_at = p_at
    where id = p_id returning * into v_delivery;
  update cs.delivery set state = v_delivery.state, code = p_code, status = p_status, updated_at = p_at
    where digest_id = v_delivery.notice_id and channel = v_delivery.channel and recipient = v_delivery.recipient
      and state = 'digested';
  update cs.notice n set updated_at = p_at, state = case when exists (
      select from cs.delivery d where d.notice_id = n.id and d.state = 'failed') then 'failed' else 'sent' end
    where n.state = 'routed' and (n.id = v_delivery.notice_id or n.id in (
        select notice_id from cs.delivery where digest_id = v_delivery.notice_id))
      and not exists (select from cs.delivery d where d.notice_id = n.id and d.state in ('due', 'bundled', 'digested'));
  perform cs.delivery_entry(v_delivery.notice_id, v_delivery.channel, v_delivery.attempts, p_outcome, p_status, p_at);
end $$;

-- An entry about a closed run stands outside that run's chain.
create function cs.delivery_entry(
  p_notice bigint, p_channel text, p_attempt integer, p_outcome text, p_status integer, p_at bigint
) returns void language plpgsql as $$
declare
  v_notice cs.notice%rowtype;
begin
  select * into strict v_notice from cs.notice where id = p_notice;
  if v_notice.run_id is not null then
    perform from cs.run where id = v_notice.run_id for share;
    perform pg_notify('cs_changed', v_notice.run_id);
  end if;
  perform journal.append(case when not journal.is_closed(v_notice.run_id) then v_notice.run_id end, 'notice.sent',
    '{"attempt":' || p_attempt || ',"channel":' || cs.quote(p_channel) || ',"kind":' || cs.quote(v_notice.kind)
    || ',"outcome":' || cs.quote(p_outcome) || ',"status":' || coalesce(p_status::text, 'null') || '}', p_at);
end $$;

-- Turns a due notice into deliveries: [{"channel", "recipient", "ticket": "open"|"append"|null, "bundle": time|null}].
-- `open` opens a ticket for the run's application unless one stands; `append` goes only where one stands. p_later: notices
-- about the same run that come due later. False when another notifier has routed it already.
create function cs.notice_route(p_id bigint, p_deliveries jsonb, p_facts jsonb, p_later jsonb, p_void boolean, p_at bigint)
returns boolean language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_notice notice%rowtype;
  v_target text;
  v_to record;
  v_ticket bigint;
  v_told integer := 0;
begin
  perform cs.must('notice_take');
  update notice set state = 'routed', facts = p_facts, updated_at = p_at where id = p_id and state = 'due'
    returning * into v_notice;
  if not found then return false; end if;
  select target_key into v_target from run where id = v_notice.run_id;
  for v_to in select * from jsonb_to_recordset(p_deliveries)
      as d(channel text, recipient text, ticket text, bundle bigint) loop
    v_ticket := null;
    if v_to.ticket is not null then
      v_ticket := cs.ticket_for(v_to.channel, v_target, v_notice.run_id, p_id, v_to.ticket = 'open', p_at);
      if v_ticket is null then continue; end if;
    end if;
    insert into delivery (notice_id, channel, recipient, ticket_id, state, not_before, created_at, updated_at)
      values (p_id, v_to.channel, v_to.recipient, v_ticket, case when v_to.bundle is null then 'due' else 'bundled' end,
        coalesce(v_to.bundle, p_at), p_at, p_at);
    v_told := v_told + 1;
  end loop;
  insert into notice (run_id, kind, channel, key, payload, state, attempts, not_before, created_at, updated_at)
    select v_notice.run_id, kind, 'owners', key, payload, 'due', 0, "notBefore", p_at, p_at
    from jsonb_to_recordset(coalesce(p_later, '[]')) as n(kind text, key text, payload jsonb, "notBefore" bigint)
    on conflict (key) do nothing;
  if p_void then
    update notice set state = 'void' where id = p_id;
  elsif v_told = 0 then
    -- Nobody is configured to hear of it: it stands in the process log and here, and that is what the entry says.
    update notice set state = 'sent' where id = p_id;
    perform cs.delivery_entry(p_id, 'log', 1, 'done', null, p_at);
  end if;
  perform pg_notify('cs_notice', '');
  return true;
end $$;

-- A notice could not be routed: it is due again later, or given up (p_not_before null), which is an entry.
create function cs.notice_postpone(p_id bigint, p_attempts integer, p_not_before bigint, p_at bigint) returns void
language plpgsql security definer set search_path = cs, journal, pg_temp as $$
begin
  perform cs.must('notice_take');
  update notice set attempts = attempts + 1, not_before = coalesce(p_not_before, not_before), updated_at = p_at,
      state = case when p_not_before is null then 'failed' else state end
    where id = p_id and state = 'due' and attempts = p_attempts;
  if found and p_not_before is null then
    perform cs.delivery_entry(p_id, 'log', p_attempts + 1, 'failed', null, p_at);
  end if;
end $$;

-- The ticket that stands for an application, or a new one; null where none stands and none is to be opened.
create function cs.ticket_for(p_channel text, p_target text, p_run text, p_notice bigint, p_open boolean, p_at bigint)
returns bigint language plpgsql as $$
declare
  v_id bigint;
begin
  perform pg_advisory_xact_lock(hashtextextended('cs.ticket:' || p_channel || ':' || p_target, 0));
  select id into v_id from cs.ticket where channel = p_channel and target_key = p_target and state in ('wanted', 'open');
  if found or not p_open then return v_id; end if;
  insert into cs.ticket (channel, target_key, key, run_id, follows, notice_id, state, created_at, updated_at)
    select p_channel, p_target, 'cs-' || p_run || case when count(*) = 0 then '' else '-' || count(*) + 1 end, p_run,
      (select case state when 'left' then external_key end from cs.ticket
        where channel = p_channel and target_key = p_target order by id desc limit 1), p_notice, 'wanted', p_at, p_at
    from cs.ticket where channel = p_channel and run_id = p_run
    returning id into v_id;
  return v_id;
end $$;

-- Takes due deliveries of one channel; each is due again at p_again unless settled before. Those of one ticket go one after
-- the other. Returns {"delivery", "notice", "ticket"}.
create function cs.delivery_take(p_channel text, p_now bigint, p_again bigint, p_limit integer) returns setof jsonb
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('notice_take');
  return query
    with taken as (
      update delivery d set attempts = d.attempts + 1, not_before = p_again, updated_at = p_now
      from (
        select q.id from delivery q join channel c on c.name = q.channel
        where q.channel = p_channel and q.state = 'due' and q.not_before <= p_now and coalesce(c.paused_until, 0) <= p_now
          and not exists (
            select from delivery e where e.ticket_id = q.ticket_id and e.state = 'due' and e.id < q.id)
        order by q.not_before, q.id limit p_limit for update of q skip locked
      ) due
      where d.id = due.id returning d.*
    )
    select jsonb_build_object('delivery', to_jsonb(t), 'notice', to_jsonb(n), 'ticket', to_jsonb(k))
    from taken t join notice n on n.id = t.notice_id left join ticket k on k.id = t.ticket_id order by t.id;
end $$;

-- Says what became of an attempt. p_not_before null: that was the last one. p_of_channel: it says something about the
-- channel, not only about this recipient. p_report_after: so many failures in a row, and the other channels are told.
create function cs.delivery_settle(
  p_id bigint, p_attempt integer, p_outcome text, p_code text, p_status integer, p_not_before bigint, p_of_channel boolean,
  p_pause_until bigint, p_report_after integer, p_at bigint
) returns void language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_delivery delivery%rowtype;
  v_channel channel%rowtype;
begin
  perform cs.must('notice_take');
  select * into v_delivery from delivery where id = p_id and attempts = p_attempt and state = 'due' for update;
  if not found then
    raise exception 'expected attempt % of delivery % to be under way', p_attempt, p_id using errcode = 'CS003';
  end if;
  if p_outcome = 'done' then
    update channel set failures = 0, failing_since = null, paused_until = null, last_sent_at = p_at
      where name = v_delivery.channel returning * into v_channel;
    if v_channel.reported_at is not null then
      update channel set reported_at = null where name = v_delivery.channel;
      perform cs.say('channel.recovered', 'recovered:' || v_delivery.channel || ':' || v_channel.reported_at,
        jsonb_build_object('channel', v_delivery.channel), p_at);
    end if;
  elsif p_of_channel then
    update channel set failures = failures + 1, failing_since = coalesce(failing_since, p_at), last_failed_at = p_at,
        last_code = p_code, last_status = p_status, paused_until = greatest(paused_until, p_pause_until)
      where name = v_delivery.channel returning * into v_channel;
    if v_channel.reported_at is null and (v_channel.failures >= p_report_after or p_not_before is null) then
      update channel set reported_at = p_at where name = v_delivery.channel;
      perform cs.say('channel.dead', 'dead:' || v_delivery.channel || ':' || v_channel.failing_since, jsonb_build_object(
        'channel', v_delivery.channel, 'because', jsonb_build_object('code', p_code), 'since', v_channel.failing_since), p_at);
    end if;
  elsif p_not_before is null then
    -- Once a day for each recipient.
    perform cs.say('recipient.refused', 'refused:' || v_delivery.channel || ':' || v_delivery.recipient || ':' || p_at / 86400000,
      jsonb_build_object('channel', v_delivery.channel, 'recipient', v_delivery.recipient,
        'because', jsonb_build_object('code', p_code)), p_at);
  end if;

  if p_outcome = 'done' or p_not_before is null then
    perform cs.delivery_end(p_id, p_outcome, p_code, p_status, p_at);
  else
    update delivery set not_before = p_not_before, code = p_code, status = p_status, updated_at = p_at where id = p_id;
    -- The first failure and the end are evidence; what lies between stands in the delivery's row.
    if p_attempt = 1 then
      perform cs.delivery_entry(v_delivery.notice_id, v_delivery.channel, 1, p_outcome, p_status, p_at);
    end if;
  end if;
end $$;

-- A notice about the channels themselves.
create function cs.say(p_kind text, p_key text, p_payload jsonb, p_at bigint) returns void language plpgsql as $$
begin
  insert into cs.notice (run_id, kind, channel, key, payload, state, attempts, not_before, created_at, updated_at)
    values (null, p_kind, 'operators', p_key, p_payload, 'due', 0, p_at, p_at, p_at) on conflict (key) do nothing;
  if found then perform pg_notify('cs_notice', ''); end if;
end $$;

-- Makes one notice of what has waited for a recipient's digest, at most p_items of it in full. Returns how many it holds.
create function cs.digest_cut(p_channel text, p_recipient text, p_items integer, p_now bigint) returns integer
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_ids bigint[];
  v_notice bigint;
begin
  perform cs.must('notice_take');
  select array_agg(id order by id) into v_ids from (
    select id from delivery where channel = p_channel and recipient = p_recipient and state = 'bundled' and not_before <= p_now
    order by id limit 10000 for update skip locked) b;
  if v_ids is null then return 0; end if;
  insert into notice (run_id, kind, channel, key, payload, facts, state, attempts, not_before, created_at, updated_at)
    select null, 'digest', 'owners', 'digest:' || v_ids[1], '{}', jsonb_build_object('total', cardinality(v_ids),
        'items', (select jsonb_agg(jsonb_build_object('kind', n.kind, 'run', n.run_id, 'at', n.created_at,
            'application', n.facts -> 'application', 'because', n.facts -> 'because') order by d.id)
          from delivery d join notice n on n.id = d.notice_id where d.id = any (v_ids[1:p_items]))),
      'routed', 0, p_now, p_now, p_now
    returning id into v_notice;
  insert into delivery (notice_id, channel, recipient, state, not_before, created_at, updated_at)
    values (v_notice, p_channel, p_recipient, 'due', p_now, p_now, p_now);
  update delivery set state = 'digested', digest_id = v_notice, updated_at = p_now where id = any (v_ids);
  perform pg_notify('cs_notice', '');
  return cardinality(v_ids);
end $$;

-- Creating the ticket is intended: committed before the call leaves. p_at null: it was refused for certain.
create function cs.ticket_intend(p_id bigint, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('notice_take');
  update ticket set intents = intents + (p_at is not null)::integer, intent_at = p_at, updated_at = coalesce(p_at, updated_at)
    where id = p_id and state = 'wanted';
  if not found then
    raise exception 'expected ticket % to be wanted', p_id using errcode = 'CS003';
  end if;
end $$;

-- The ticket is there, made or found.
create function cs.ticket_made(p_id bigint, p_external_id text, p_external_key text, p_url text, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('notice_take');
  update ticket set state = 'open', external_id = p_external_id, external_key = p_external_key, url = p_url, updated_at = p_at
    where id = p_id and state = 'wanted';
end $$;

-- The matter is settled, or somebody has closed the ticket by hand.
create function cs.ticket_closed(p_id bigint, p_by_hand boolean, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('notice_take');
  update ticket set state = case when p_by_hand then 'left' else 'closed' end, updated_at = p_at
    where id = p_id and state in ('wanted', 'open');
end $$;

-- Its ticket was closed by hand and the trouble goes on: this delivery, and what is due after it, goes into a new one.
create function cs.ticket_again(p_delivery bigint, p_at bigint) returns bigint
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_delivery delivery%rowtype;
  v_old ticket%rowtype;
  v_new bigint;
begin
  perform cs.must('notice_take');
  select * into strict v_delivery from delivery where id = p_delivery;
  select * into strict v_old from ticket where id = v_delivery.ticket_id for update;
  update ticket set state = 'left', updated_at = p_at where id = v_old.id and state in ('wanted', 'open');
  v_new := cs.ticket_for(v_old.channel, v_old.target_key, (select run_id from notice where id = v_delivery.notice_id),
    v_delivery.notice_id, true, p_at);
  update delivery set ticket_id = v_new where ticket_id = v_old.id and state = 'due' and id >= p_delivery;
  return v_new;
end $$;

grant execute on function cs.channels_set, cs.notice_route, cs.notice_postpone, cs.delivery_take, cs.delivery_settle, cs.digest_cut,
  cs.ticket_intend, cs.ticket_made, cs.ticket_closed, cs.ticket_again to cs_notifier;
grant select on cs.channel, cs.ticket, cs.delivery to cs_api, cs_executor, cs_notifier;
-- What a message says is composed by the notifier; no secret stands in any of these.
grant select on cs.plan, cs.finding, cs.approval to cs_notifier;
