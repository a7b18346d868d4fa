-- How the systems outside last answered, as each login saw it. No entry of the log: nobody decides anything by it.
create table cs.reach (
  role text not null,
  -- Origin of a base URL of the configuration, or `postgres://host:port`.
  address text not null check (octet_length(address) between 1 and 300),
  answered_at bigint,
  failed_at bigint,
  -- Of the first failure after the last answer; null: it answers.
  failing_since bigint,
  code text,
  primary key (role, address)
);

-- p_seen: [{address, answeredAt, failedAt, failingSince, code}], at most 1,000 addresses per login.
create function cs.reached(p_seen jsonb) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('reach');
  if (select count(distinct address) from (select address from reach where role = session_user
      union select e ->> 'address' from jsonb_array_elements(p_seen) e) all_of_them) > 1000 then
    raise exception 'expected at most 1000 addresses' using errcode = 'CS006';
  end if;
  insert into reach (role, address, answered_at, failed_at, failing_since, code)
    select session_user, address, "answeredAt", "failedAt", "failingSince", code
      from jsonb_to_recordset(p_seen) as seen(address text, "answeredAt" bigint, "failedAt" bigint, "failingSince" bigint, code text)
    on conflict (role, address) do update set
      answered_at = coalesce(excluded.answered_at, reach.answered_at),
      failed_at = coalesce(excluded.failed_at, reach.failed_at),
      -- It answered in between: an earlier failure is over.
      failing_since = case when excluded.failing_since is null or excluded.answered_at is not null then excluded.failing_since
        else coalesce(reach.failing_since, excluded.failing_since) end,
      code = coalesce(excluded.code, reach.code);
end $$;

insert into cs.permission (role, act) values ('cs_executor', 'reach'), ('cs_scanner', 'reach');
grant execute on function cs.reached to cs_executor, cs_scanner;
grant select on cs.reach to cs_api;
