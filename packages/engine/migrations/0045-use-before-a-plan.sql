-- Where an application is used beside those that the inventory declares is told to approvers: the executor, which plans, reads it.
grant select on cs.caller_found, cs.callers_read to cs_executor;
