-- Counts of the ledger are kept outside the database; whoever keeps them hears at each commit that they may be others.
create function cs.ledger_changed() returns trigger language plpgsql as $$
begin
  perform pg_notify('cs_ledger', '');
  return null;
end $$;
create trigger ledger_changed after insert or update or delete on cs.credential
  for each statement execute function cs.ledger_changed();

-- The name as searches compare it: folding it for each row of each search costs more than the comparison.
alter table cs.credential add column folded text generated always as (lower(application)) stored;
