-- An owner whose address refuses mail may have left: the scanner, which works out findings, reads whose last mail was refused.
create index delivery_refused on cs.delivery (recipient, id desc) where code = 'recipient-refused';
create index delivery_reached on cs.delivery (recipient, id desc) where state = 'sent' and recipient <> '';
grant select (id, recipient, state, code) on cs.delivery to cs_scanner;
