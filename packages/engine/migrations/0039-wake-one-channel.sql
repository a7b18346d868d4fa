-- Telling people costs little: whoever routes a notice hears which channels have something to send, and wakes those alone; a
-- delivery comes with the people it names; and what became of one is said while the next one is taken.

-- cs.notice_route of 0010, which woke every channel of every notifier. Returns the channels over which something is due now;
-- null when another notifier has routed it already.
drop function cs.notice_route(bigint, jsonb, jsonb, jsonb, boolean, bigint);
create function cs.notice_route(p_id bigint, p_deliveries jsonb, p_facts jsonb, p_later jsonb, p_void boolean, p_at bigint)
returns text[] language plpgsql security definer set search_path = cs, journal, pg_temp as $$
declare
  v_notice notice%rowtype;
  v_target text;
  v_to record;
  v_ticket bigint;
  v_told integer := 0;
  v_due text[] := '{}';
begin
  perform cs.must('notice_take');
  update notice set state = 'routed', facts = p_facts, updated_at = p_at where id = p_id and state = 'due'
    returning * into v_notice;
  if not found then return null; end if;
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
    if v_to.bundle is null and v_to.channel <> all (v_due) then v_due := v_due || v_to.channel; end if;
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
  return v_due;
end $$;

-- cs.delivery_take of 0010. Returns {"delivery", "notice", "ticket", "people"}: with the people whom the notice names and the
-- one whom it goes to, as they are now.
create or replace function cs.delivery_take(p_channel text, p_now bigint, p_again bigint, p_limit integer) returns setof jsonb
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
    select jsonb_build_object('delivery', to_jsonb(t), 'notice', to_jsonb(n), 'ticket', to_jsonb(k), 'people', (
      select coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name, 'email', p.email)), '[]') from person p
      where p.id in (select t.recipient union select f[1] from regexp_matches(n.facts::text, 'p_[0-9a-f]{16}', 'g') as f)))
    from taken t join notice n on n.id = t.notice_id left join ticket k on k.id = t.ticket_id order by t.id;
end $$;

-- Says what became of an attempt, as cs.delivery_settle does, and takes what is due next over the same channel.
create function cs.delivery_next(
  p_id bigint, p_attempt integer, p_outcome text, p_code text, p_status integer, p_not_before bigint, p_of_channel boolean,
  p_pause_until bigint, p_report_after integer, p_at bigint, p_again bigint
) returns setof jsonb language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.delivery_settle(p_id, p_attempt, p_outcome, p_code, p_status, p_not_before, p_of_channel, p_pause_until,
    p_report_after, p_at);
  return query select * from cs.delivery_take((select d.channel from delivery d where d.id = p_id), p_at, p_again, 1);
end $$;

grant execute on function cs.notice_route, cs.delivery_next to cs_notifier;
