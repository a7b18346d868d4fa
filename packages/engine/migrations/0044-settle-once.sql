-- A run that is taken over says in its row that its holder's last request may still land, from the claim on until that was waited
-- for: whoever has the run by then. Before, a worker that was stopped, or lost the database, while it waited let go of a run of
-- which the next one knew nothing, and looked at once.

-- Working data of a run that this worker has lost; without proof of its death it may still publish what it made. The last 20 of those
-- are kept.
create function cs.lost_by(p_data jsonb, p_worker uuid, p_proven boolean) returns jsonb language sql immutable as $$
  select p_data || jsonb_build_object('unsettled', p_worker, 'unproven', coalesce((
    select jsonb_agg(w order by n) from (
      select w, n from jsonb_array_elements_text(
        case jsonb_typeof(p_data -> 'unproven') when 'array' then p_data -> 'unproven' else '[]' end) with ordinality u(w, n)
        where w <> p_worker::text
      union all select p_worker::text, 1000000 where not p_proven
      order by n desc limit 20) k), '[]'))
$$;

create or replace function cs.claim(
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
  update run r set worker = p_worker, fence = r.fence + 1, attempts = r.attempts + 1,
      data = case when p.previous is null then r.data else lost_by(r.data, p.previous, p.proven) end
    from pick p
    where r.id = p.id and r.worker is not distinct from p.previous and (p.previous is not null or r.not_before <= p_now)
    returning to_jsonb(r), p.previous, p.proven, p.silent_ms;
end $$;
