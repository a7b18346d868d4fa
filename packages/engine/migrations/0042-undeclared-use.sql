-- A use that nobody declared is a finding: the scanner, which works those out, reads which entries of vaults point where.
grant select on cs.entry_found to cs_scanner;
