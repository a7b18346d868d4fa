-- An emergency ends the run that it takes over just before it begins. When it then comes to nothing all the same (withdrawn,
-- or its approval ran out), nobody finishes that run: its owners are told, and a ticket is opened.
create function cs.on_emergency_over() returns trigger language plpgsql as $$
declare
  v_elder text;
begin
  for v_elder in
    with recursive chain(id, replaces) as (
      select new.id, new.replaces
      union all
      -- After drift the next one has inherited what the first had taken over.
      select r.id, r.replaces from cs.run r join chain c on r.id = c.replaces
    )
    select e.id from cs.run e join chain c on e.data ->> 'takenOverBy' = c.id
      where e.target_key = new.target_key and e.state = 'superseded'
  loop
    perform cs.notices(v_elder, jsonb_build_array(jsonb_build_object('kind', 'run.unfinished', 'channel', 'owners',
      'key', v_elder || ':unfinished', 'payload', jsonb_build_object('because',
        jsonb_build_object('code', 'emergency', 'run', new.id)))), new.updated_at);
  end loop;
  return null;
end $$;
create trigger emergency_over after update on cs.run for each row
  when (new.trigger = 'compromise' and new.state <> old.state
    and new.state in ('withdrawn', 'rejected', 'expired', 'blocked', 'rolled_back'))
  execute function cs.on_emergency_over();
