-- Rights stand here and nowhere else. Nobody but the owner has DML on any table.
insert into cs.permission (role, act)
select r, a from (values
  ('cs_api', '{submit_run,decide,withdraw,direct,append,worker,notice_put,person,erase,attachment,session,freeze}'::text[]),
  ('cs_scanner', '{submit_run,append,worker,credential_seen,notice_put,scan}'),
  ('cs_executor', '{submit_run,transition,append,worker,claim,journal,credential_seen,credential_set,notice_put,person,attachment,freeze}'),
  ('cs_notifier', '{append,worker,notice_take}')
) p(r, acts), unnest(acts) a;

grant usage on schema cs to cs_api, cs_scanner, cs_executor, cs_notifier;
grant execute on function cs.is_final to cs_api, cs_scanner, cs_executor, cs_notifier;
grant execute on function cs.append, cs.worker_start, cs.beat, cs.worker_stop to cs_api, cs_scanner, cs_executor, cs_notifier;
grant execute on function cs.submit_run, cs.notice_put to cs_api, cs_scanner, cs_executor;
grant execute on function cs.decide, cs.withdraw, cs.direct, cs.person_erase, cs.attachment_erase, cs.session_put,
  cs.session_delete to cs_api;
grant execute on function cs.person_put, cs.attachment_put, cs.freeze to cs_api, cs_executor;
grant execute on function cs.credential_seen, cs.credential_gone to cs_scanner, cs_executor;
grant execute on function cs.scan_begin, cs.scan_end to cs_scanner;
grant execute on function cs.transition, cs.note, cs.worker_proven_dead, cs.due_runs, cs.claim, cs.release,
  cs.data_put, cs.intent, cs.outcome, cs.step_resolve, cs.credential_set to cs_executor;
grant execute on function cs.notice_take, cs.notice_settle to cs_notifier;

grant select on cs.run, cs.run_lock, cs.plan, cs.finding, cs.approval, cs.directive, cs.step, cs.credential, cs.worker,
  cs.notice, cs.scan, cs.control, cs.attachment, cs.person, cs.migration to cs_api, cs_executor;
grant select on cs.session to cs_api;
grant select on cs.run, cs.credential, cs.finding, cs.scan, cs.worker, cs.control, cs.migration to cs_scanner;
grant select on cs.run, cs.notice, cs.person, cs.worker, cs.control, cs.migration to cs_notifier;

-- The queue's tables belong to the executor; its schema stays the migrator's.
create schema pgboss;
grant usage, create on schema pgboss to cs_executor;
