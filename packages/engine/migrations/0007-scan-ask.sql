-- A person wants a scan now. Only a hint to the scanner: one that nobody hears comes with the next day's scan.
create function cs.scan_ask() returns void
language plpgsql security definer set search_path = cs, pg_temp as $$
begin
  perform cs.must('direct');
  perform pg_notify('cs_scan', '');
end $$;

grant execute on function cs.scan_ask to cs_api;
