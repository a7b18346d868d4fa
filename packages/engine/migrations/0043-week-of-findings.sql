-- Owners hear each week what was found of their applications; the notifier, which writes to them, reads it.
grant select on cs.fleet_finding, cs.acceptance to cs_notifier;
grant execute on function cs.acceptance_state to cs_notifier;
