-- Repeats of a request, and a person's wish to scan now.
create table cs.idempotency (
  person text not null,
  key text not null check (octet_length(key) <= 200),
  request_hash text not null check (octet_length(request_hash) <= 64),
  status integer,
  body text check (octet_length(body) <= 1048576),
  at timestamptz not null,
  primary key (person, key)
);
create index idempotency_at on cs.idempotency (at);

-- Null: the key is new and now the caller's. Otherwise what is known of it. Keys are kept for a day of real time.
create function cs.idempotency_begin(p_person text, p_key text, p_request_hash text) returns jsonb
language plpgsql security definer set search_path = cs, pg_temp as $$
declare
  v_known idempotency%rowtype;
begin
  perform cs.must('session');
  delete from idempotency where at < clock_timestamp() - interval '1 day';
  insert into idempotency (person, key, request_hash, at) values (p_person, p_key, p_request_hash, clock_timestamp())
    on conflict (person, key) do nothing;
  if found then return null; end if;
  select * into strict v_known from idempotency where person = p_person and key = p_key;
  return jsonb_build_object('requestHash', v_known.request_hash, 'status', v_known.status, 'body', v_known.body);
end $$;

create function cs.idempotency_finish(p_person text, p_key text, p_status integer, p_body text) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('session');
  update idempotency set status = p_status, body = p_body where person = p_person and key = p_key;
end $$;

create function cs.idempotency_forget(p_person text, p_key text) returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('session');
  delete from idempotency where person = p_person and key = p_key and status is null;
end $$;

-- Wakes the scanner. Only a hint: a scan that nobody hears of comes with the next day's.
create function cs.scan_ask() returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('direct');
  perform pg_notify('cs_scan', '');
end $$;

grant execute on function cs.idempotency_begin, cs.idempotency_finish, cs.idempotency_forget, cs.scan_ask to cs_api;
