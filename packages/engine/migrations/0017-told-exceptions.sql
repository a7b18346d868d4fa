-- The second person's word on a break-glass use, and each review of it, are told like the use itself: in the transaction that
-- writes them, whoever does.
create function cs.tell_confirmed() returns trigger language plpgsql set search_path = cs, pg_temp as $$
begin
  perform cs.notices(new.run_id, jsonb_build_array(jsonb_build_object('kind', 'breakglass.confirmed', 'channel', 'owners',
    'key', new.run_id || ':breakglass-confirmed', 'payload',
    jsonb_build_object('application', new.target_key, 'person', new.confirmed_by))), new.confirmed_at);
  return null;
end $$;
create trigger tell_confirmed after update of confirmed_by on cs.break_glass for each row
  when (old.confirmed_by is null and new.confirmed_by is not null) execute function cs.tell_confirmed();

create function cs.tell_reviewed() returns trigger language plpgsql set search_path = cs, pg_temp as $$
begin
  perform cs.notices(new.run_id, jsonb_build_array(jsonb_build_object('kind', 'breakglass.reviewed', 'channel', 'owners',
    'key', new.run_id || ':breakglass-reviewed:' || new.person || ':' || new.at, 'payload', jsonb_build_object(
      'application', (select target_key from cs.run where id = new.run_id), 'person', new.person, 'result', new.result))), new.at);
  return null;
end $$;
create trigger tell_reviewed after insert on cs.break_glass_review for each row execute function cs.tell_reviewed();

-- What a ticket says of each step: how its last attempt ended. Nonces, intents and fences are not the notifier's affair.
grant select (run_id, step, direction, attempt, seq, outcome, outcome_data) on cs.step to cs_notifier;
