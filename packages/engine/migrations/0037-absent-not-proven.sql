-- A secret that was taken back before any replica showed it: the removal found nothing, which proves nothing. Such an outcome
-- is done for its run, and stays unresolved until the sweep has seen and removed what it was about, or has looked for a day.

-- Commits what became of an attempt. `unknown` may be followed by a later outcome; `done` and `failed` are final.
create or replace function cs.outcome(
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
      resolved_at = case when p_outcome <> 'unknown' and not (p_direction <> 'do' and coalesce(p_facts::jsonb->>'absent', '') = 'not-proven')
        then p_at end
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

create or replace function cs.step_resolve(p_run text, p_step text, p_direction text, p_attempt integer, p_at bigint) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('journal');
  update step set resolved_at = p_at where run_id = p_run and step = p_step and direction = p_direction
    and attempt = p_attempt and outcome is not null and resolved_at is null;
end $$;

drop index cs.step_unresolved;
create index step_unresolved on cs.step (outcome_at) where outcome is not null and resolved_at is null;
