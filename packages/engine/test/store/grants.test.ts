import type pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type DatabaseRole, openClient, roles } from "../../src/database/connect.ts";
import { openDispatch } from "../../src/dispatch/index.ts";
import type { Store, StoreRole } from "../../src/store/store.ts";
import { newWorker, startServer, storesOf, toExecuting } from "./harness.ts";

let server: Awaited<ReturnType<typeof startServer>>;
let stores: Record<StoreRole, Store> & { close(): Promise<void> };
const clients = new Map<DatabaseRole, pg.Client>();
let run = "";

beforeAll(async () => {
  server = await startServer();
  const connections = await server.database();
  stores = storesOf(connections);
  const dispatch = await openDispatch({ connection: connections.cs_executor, onError: () => undefined });
  await dispatch.stop();
  for (const role of roles) clients.set(role, await openClient(connections[role], "test"));
  run = (await toExecuting(stores, await newWorker(stores.cs_executor))).run;
});
afterAll(async () => {
  await Promise.all([...clients.values()].map((client) => client.end()));
  await stores.close();
  await server.end();
});

const running: readonly DatabaseRole[] = ["cs_api", "cs_scanner", "cs_executor", "cs_notifier"];
const everybody: readonly DatabaseRole[] = roles;
const but = (...allowed: DatabaseRole[]) => running.filter((role) => !allowed.includes(role));

/** Statement and the logins that must not run it. `$run` is a run that is executing. */
const forbidden: readonly (readonly [statement: string, logins: readonly DatabaseRole[]])[] = [
  ["update cs.run set state = 'completed' where id = '$run'", running],
  ["update cs.run set fence = 0", running],
  ["update cs.run set worker = null", running],
  ["update cs.run set not_before = 0", running],
  ["select * from cs.run for update", running],
  ["delete from cs.run", running],
  ["insert into cs.run select * from cs.run", running],
  ["truncate cs.run", running],
  ["insert into cs.approval select * from cs.approval", running],
  ["update cs.approval set decision = 'approve'", running],
  ["delete from cs.approval", running],
  ["insert into cs.step (run_id) values ('$run')", running],
  ["update cs.step set outcome = 'done'", running],
  ["delete from cs.step", running],
  ["update cs.plan set body = ''", running],
  ["insert into cs.plan values ('sha256:0', '$run', '', 0)", running],
  ["delete from cs.run_lock", running],
  ["insert into cs.run_lock values ('k', '$run', 'run')", running],
  ["update cs.credential set state = 'foreign'", running],
  ["update cs.worker set beat_at = clock_timestamp()", running],
  ["insert into cs.permission values ('cs_api', 'transition')", running],
  ["insert into cs.may_move values ('cs_api', 'executing', 'completed')", running],
  ["update cs.attachment set bytes = null", running],
  ["insert into cs.session values ('', 'p', '{}', 0, 0)", running],
  ["delete from cs.control", running],
  ["update cs.migration set digest = ''", running],
  ["insert into cs.reach (role, address) values ('cs_executor', 'https://a.example')", running],
  ["update cs.reach set failing_since = null", running],
  ["select cs.reached('[]')", but("cs_executor", "cs_scanner")],
  ["create table cs.mine (id int)", running],
  ["create table public.mine (id int)", everybody],
  ["create schema mine", running],
  ["create function cs.is_final(text, int) returns boolean language sql as 'select true'", running],
  ["alter table cs.run disable trigger all", running],
  ["drop function cs.transition", running],
  ["insert into journal.log_entry values (999999, '', null, null, 'run.moved', '')", everybody],
  ["update journal.log_entry set entry = ''", everybody],
  ["delete from journal.log_entry", everybody],
  ["truncate journal.log_entry", everybody],
  ["update journal.log_state set size = 0", everybody],
  ["update journal.log_chain set closed = false", everybody],
  ["insert into journal.may values ('cs_api', 'step.outcome', true)", everybody],
  ["insert into journal.log_checkpoint (size, note) values (1, '')", everybody],
  ["delete from journal.log_checkpoint", everybody],
  ["select journal.append(null, 'service.started', '{}', 0)", everybody],
  ["select journal.append('$run', 'step.outcome', '{}', 0)", everybody],
  ["select journal.checkpoint_store(1, 'note')", everybody.filter((role) => role !== "cs_executor")],
  ["select journal.run_length('$run')", running],
  ["set role cs_log", running],
  ["set role cs_migrator", running],
  ["set session authorization cs_executor", everybody.filter((role) => role !== "cs_executor")],
  ["alter role cs_api superuser", everybody],
  ["create role cs_other", everybody],
  ["grant cs_log to cs_api", everybody],
  ["select pg_read_file('/etc/passwd')", everybody],
  ["copy cs.run to program 'true'", everybody],
  ["select cs.move('$run', 0, null, 'executing', 'completed', null, 0, null, null, true, null, null, false)", running],
  ["select cs.attach('x', 'reason', 0)", running],
  ["select cs.notices('$run', '[]', 0)", running],
  ["select cs.append_all('$run', '[]', 0)", running],
  ["select cs.take_locks('$run', '[]')", running],
  [
    "select cs.transition('$run', 0, gen_random_uuid(), 'approved', 'executing', null, 0, null, null, true, null, null, null, null, null, null, false)",
    but("cs_executor"),
  ],
  ["select cs.note('$run', 0, gen_random_uuid(), 0, null, null, null, false)", but("cs_executor")],
  ["select cs.decide('$run', '', '', '', 'approve', 'session', '', '', 0, 0, true, 0)", but("cs_api")],
  ["select cs.withdraw('$run', 'p', 0)", but("cs_api")],
  ["select cs.direct('$run', 'hold', 'p', null, 0)", but("cs_api")],
  ["select cs.claim(gen_random_uuid(), 0, 1, 1, '{}', 1, 1, null)", but("cs_executor")],
  ["select cs.due_runs(null, 0, 1, 1, '{}', 1)", but("cs_executor")],
  ["select cs.worker_proven_dead('{}')", but("cs_executor")],
  ["select cs.release('$run', 0, gen_random_uuid(), 0, null, 0)", but("cs_executor")],
  ["select cs.data_put('$run', 0, gen_random_uuid(), '{}')", but("cs_executor")],
  [
    "select cs.intent('$run', 0, gen_random_uuid(), 's', 'do', 1, 'v', 'c', '', '{}', '{}', 0, null, null)",
    but("cs_executor"),
  ],
  [
    "select cs.outcome('$run', 0, gen_random_uuid(), 's', 'do', 1, 'done', 'b', '{}', null, '{}', '{}', '[]', null, 0)",
    but("cs_executor"),
  ],
  ["select cs.step_resolve('$run', 's', 'do', 1, 0)", but("cs_executor")],
  ["select cs.credentials_set('t', 'o', 'a', 'n', 'role', 0, '[]')", but("cs_executor")],
  ["select cs.scan_open('s', 't', 'full', 0, gen_random_uuid(), 1, 0)", but("cs_scanner")],
  [
    "select cs.scan_page('s', gen_random_uuid(), null, 0, 0, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}')",
    but("cs_scanner"),
  ],
  ["select cs.scan_restart('s', gen_random_uuid())", but("cs_scanner")],
  ["select cs.scan_conclude('s', gen_random_uuid(), 0, 1, 0)", but("cs_scanner")],
  ["select cs.scan_end('s', gen_random_uuid(), null, null, null, '[]', '[]', 0)", but("cs_scanner")],
  ["select cs.detail_begin('s', gen_random_uuid(), 'owners', 0)", but("cs_scanner")],
  ["select cs.owners_put('s', gen_random_uuid(), '[]', null, 0)", but("cs_scanner")],
  ["select cs.policies_put('s', gen_random_uuid(), '[]')", but("cs_scanner")],
  ["select cs.uses_put('s', gen_random_uuid(), '[]')", but("cs_scanner")],
  ["select cs.failures_put('s', gen_random_uuid(), '[]', 0, true)", but("cs_scanner")],
  ["select cs.callers_put('s', gen_random_uuid(), 'a', '[]', 0, 0)", but("cs_scanner")],
  ["select cs.entries_put('t', '{}', '{}', '[]')", but("cs_executor")],
  ["select cs.vaults_read('[]', 0)", but("cs_executor")],
  ["delete from cs.entry_found", running],
  ["delete from cs.sign_in_failure", running],
  ["select cs.detail_end('s', gen_random_uuid(), null, null, 0)", but("cs_scanner")],
  ["delete from cs.pass_due", running],
  ["update cs.scan_asked set at = 0", running],
  ["select cs.findings_put('t', '{}', '[]', '[]', 0)", but("cs_scanner", "cs_executor")],
  ["select cs.acceptance_ask('{1}', 1, 'p', 'x', 0)", but("cs_api")],
  ["select cs.acceptance_confirm('{1}', 'p', 0)", but("cs_api")],
  ["select cs.acceptance_withdraw('{1}', 'p', 0)", but("cs_api")],
  ["select cs.acceptances_expire(0)", but("cs_api", "cs_executor")],
  ["select * from cs.acceptance", but("cs_api", "cs_executor", "cs_notifier")],
  ["update cs.acceptance set until_at = 9e15", running],
  ["update cs.acceptance set confirmed_by = 'p', confirmed_at = 0", running],
  ["delete from cs.acceptance", running],
  ["select cs.append(null, 'acceptance.confirmed', '{}', 0, null, null)", running],
  ["select cs.scan_here('s', gen_random_uuid())", running],
  ["update cs.fleet_finding set cleared_at = 0", running],
  ["delete from cs.finding_count", running],
  ["select cs.expiry_tell('[]', '{}', 1, 0)", but("cs_notifier")],
  ["select cs.weekly_tell(0, 'p', null, 0)", but("cs_notifier")],
  ["insert into cs.weekly_told values (0, 'p')", running],
  ["delete from cs.expiry_told", running],
  ["select cs.hook_take('h', 'i', 't', 0, 'ignored', null, null, null, null, 0, 0)", but("cs_api", "cs_scanner")],
  ["select cs.audit_explain('t', 'e', 'c', 'added', 'p', '', 0)", but("cs_api")],
  ["select cs.population_export('{}', 0)", but("cs_api")],
  ["select journal.first_after('')", but("cs_api")],
  ["update cs.audit_change set read_in = 0", running],
  ["select cs.stands_out_of_band('t', 'o', 'c')", running],
  ["update cs.audit_change set explained_by = 'p'", running],
  ["update cs.audit_change set verdict = 'ours'", running],
  ["select cs.scan_ask(0)", but("cs_api")],
  ["select cs.notice_route(1, '[]', '{}', '[]', false, 0)", but("cs_notifier")],
  ["select cs.delivery_take('c', 0, 0, 1)", but("cs_notifier")],
  ["select cs.delivery_settle(1, 1, 'done', null, 200, null, true, null, 3, 0)", but("cs_notifier")],
  ["select cs.channels_set('[]', 0)", but("cs_notifier")],
  ["select cs.notice_postpone(1, 0, null, 0)", but("cs_notifier")],
  ["select cs.digest_cut('c', '', 1, 0)", but("cs_notifier")],
  ["select cs.ticket_intend(1, 0)", but("cs_notifier")],
  ["select cs.ticket_made(1, 'i', 'k', null, 0)", but("cs_notifier")],
  ["select cs.ticket_closed(1, true, 0)", but("cs_notifier")],
  ["select cs.ticket_again(1, 0)", but("cs_notifier")],
  ["select cs.delivery_end(1, 'done', null, null, 0)", running],
  ["select cs.ticket_for('c', 't', '$run', 1, true, 0)", running],
  ["select cs.say('channel.dead', 'k', '{}', 0)", running],
  ["select cs.record_put('$run', 1, '')", but("cs_executor")],
  ["select cs.record_ask('$run')", but("cs_api")],
  ["select cs.ask_record('$run')", running],
  ["select * from cs.run_record", but("cs_api")],
  ["delete from cs.run_record", running],
  ["insert into cs.record_ask values ('$run', 0)", running],
  ["select cs.session_put('', 'p', '{}', 0, 0)", but("cs_api")],
  ["select cs.session_delete(null, 'p')", but("cs_api")],
  ["select * from cs.session", but("cs_api")],
  ["select cs.attachment_erase('d', 'p', null, 0)", but("cs_api")],
  ["select cs.person_erase('p', 0)", but("cs_api")],
  ["select cs.person_put('p', null, null, null, null)", but("cs_api", "cs_executor")],
  ["select cs.freeze('all', false, 'p', 0)", but("cs_api", "cs_executor")],
  ["select cs.append('$run', 'gate.checked', '{}', 0, 0, gen_random_uuid())", but("cs_executor")],
  ["select cs.append(null, 'policy.activated', '{}', 0, null, null)", but("cs_executor")],
  ["select cs.append('$run', 'step.outcome', '{}', 0, 0, gen_random_uuid())", running],
  ["select cs.append('$run', 'run.moved', '{}', 0, 0, gen_random_uuid())", running],
  ["select cs.append('$run', 'approval.given', '{}', 0, 0, gen_random_uuid())", running],
  ["select * from cs.approval", but("cs_api", "cs_executor", "cs_notifier")],
  ["select * from cs.attachment", but("cs_api", "cs_executor")],
  ["select * from cs.plan", but("cs_api", "cs_executor", "cs_notifier")],
  ["select * from cs.step", but("cs_api", "cs_executor")],
  ["select outcome from cs.step", but("cs_api", "cs_executor", "cs_notifier")],
  ["select * from journal.log_entry", but("cs_api", "cs_executor")],
  ["select * from journal.log_chain", everybody],
  ["select * from pgboss.job", everybody.filter((role) => role !== "cs_executor")],
  ["insert into pgboss.job (name) values ('run-due')", everybody.filter((role) => role !== "cs_executor")],
  ["select pgboss.create_queue('q', '{}')", everybody.filter((role) => role !== "cs_executor")],
];

describe.each(everybody)("%s", (role) => {
  it.each(forbidden.filter(([, logins]) => logins.includes(role)).map(([statement]) => [statement]))(
    "may not: %s",
    async (statement) => {
      const client = clients.get(role) as pg.Client;
      const before = await stores.cs_api.run(run);
      const failure = await client.query(statement.replaceAll("$run", run)).then(
        () => "it was allowed",
        (error: pg.DatabaseError) => error.code,
      );
      expect(failure).toBe("42501");
      expect(await stores.cs_api.run(run)).toEqual(before);
    },
  );
});

it("refuses at least forty statements to each running login", () => {
  for (const role of running)
    expect(forbidden.filter(([, logins]) => logins.includes(role)).length).toBeGreaterThanOrEqual(40);
});

it("gives no function of ours to everybody", async () => {
  const client = clients.get("cs_migrator") as pg.Client;
  const { rows } = await client.query<{ name: string }>(
    `select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname in ('cs', 'journal') and has_function_privilege('public', p.oid, 'execute')`,
  );
  expect(rows).toEqual([]);
});

it("pins the search path of every function that runs as its owner", async () => {
  const client = clients.get("cs_migrator") as pg.Client;
  const { rows } = await client.query<{ name: string }>(
    `select p.oid::regprocedure::text as name from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where n.nspname in ('cs', 'journal') and p.prosecdef
       and not coalesce(p.proconfig::text like '%search_path=%pg_temp%', false)`,
  );
  expect(rows).toEqual([]);
});

it("makes every process log in as itself, which it can tell", async () => {
  for (const role of roles) {
    const { rows } = await (clients.get(role) as pg.Client).query(
      "select session_user::text as who, rolsuper as super from pg_roles where rolname = session_user",
    );
    expect(rows).toEqual([{ who: role, super: false }]);
  }
  expect(await stores.cs_scanner.sessionUser()).toBe("cs_scanner");
});
