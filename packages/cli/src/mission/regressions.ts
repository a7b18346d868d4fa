import type { Item } from "./list.ts";

const named = (name: string) => `tests/scenarios/regressions/infisical.test.ts > ${name}`;
const crash = "tests/crash/crash.test.ts > keeps every promise at each point of the slice";
const f1 = named("F1: every limit is checked before the first effect, and what is made ends when the plan says");
const f3 = named("F3: a value that cannot be stored is taken back, and no pile of secrets grows");
const f4 = named(
  "F4: the answer of addPassword is lost, and what was made is found by its marker and never left behind",
);
const f5 = named("F5: the old secret goes only after the new one is stored, handed on and in use");
const f6 = named("F6: a secret that signs in only after a while is published only once it does");
const f7 = named("F7: asking twice, or twice at once, makes one run, and the old secret stays for its overlap");
const f13 = named(
  "F13: when taking back fails as well, the run holds with the id on its record, and ends clean once it may",
);
const f14 = named(
  "F14: the record has old and new key id, who approved, the plan's digest and the build, for each effect",
);
const f15 = named(
  "F15: an application that is taken out of the inventory in its overlap loses nothing: its run holds until it is back",
);
const killed =
  "tests/scenarios/executor-killed.test.ts > %s: the next one takes that secret back and makes another; nothing is orphaned";
const p5 = [
  named(
    "P5: a secret whose creation was not answered and that is seen only minutes later is removed then, never called absent",
  ),
  named("P5: and one that is taken back before a single replica shows it is gone for good, or removed when it is seen"),
];
const gate = "tests/scenarios/gate.test.ts > ";
const freeze = "tests/scenarios/kill-switch.test.ts > ";
const rollBack = "tests/scenarios/rollback.test.ts > ";
const hasUndone = `${rollBack}has everything undone in reverse; the new secret stays until nobody can hold it; owners are told`;

/** Points of one product's code, found by reading it. */
export const elsewhere: readonly Item[] = [
  {
    id: "F1",
    what: "a limit is checked only after the secret was made, and its value is dropped",
    does: "Limits of policy and tenant are findings of the plan; nothing is made before people have read them.",
    tests: [f1],
  },
  {
    id: "F2",
    what: "killed between making and storing: a live secret that nobody knows",
    does: "The intent with its marker is committed first; the next start finds the secret by it and takes it back.",
    tests: [killed, crash],
  },
  {
    id: "F3",
    what: "storing fails, and each retry makes one more secret",
    does: "What was made is taken back by its id; the run rolls back and says why.",
    tests: [f3],
  },
  {
    id: "F4",
    what: "the answer of the creation is lost, and the retry makes a second one",
    does: "The outcome is unknown, never assumed: the marker finds the first one, which is removed.",
    tests: [f4],
  },
  {
    id: "F5",
    what: "the previous secret is destroyed before the new one is durable",
    does: "Retirement is the last step, by exact id, after the record, the consumers and the overlap.",
    tests: [f5],
  },
  {
    id: "F6",
    what: "an untested secret is published, and consumers meet the replication lag",
    does: "It signs in several times in a row before it is stored anywhere.",
    tests: [f6],
  },
  {
    id: "F7",
    what: "two clicks revoke what consumers still hold",
    does: "One open run per application, decided by the database; the gate asks for last use.",
    tests: [
      f7,
      `${gate}never retires while one caller still uses the old secret, tells the owners, and opens when the last has switched`,
    ],
  },
  {
    id: "F8",
    what: "a failed notice turns a finished rotation into a failed one",
    does: "Notices are rows of their own, committed with the move and delivered later.",
    tests: [
      "tests/scenarios/notify.test.ts > delays neither the roll back nor the other channels, which are told; it is retried and given up",
    ],
  },
  {
    id: "F9",
    what: "a consumer that was not updated does not hold up the next revocation",
    does: "Each consumer is confirmed by use before retirement; one that cannot be switched rolls everything back.",
    tests: [`${gate}waits for a declared caller that has not come with the new secret yet`, hasUndone],
  },
  {
    id: "F10",
    what: "pausing does not stop what is queued",
    does: "The kill switch is asked by the executor before each attempt of an effect, not by the queue.",
    tests: [
      `${freeze}stops an approved run before its first effect, lets others roll back, and only security lifts it`,
    ],
  },
  {
    id: "F11",
    what: "two runners act on one stale row",
    does: "A claim bumps the fence; every write carries it, and a stale one is refused.",
    tests: [
      "packages/engine/test/store/runs.test.ts > has one winner among ten that race for it, and one entry",
      "packages/engine/test/store/workers.test.ts > gives each due run to one of ten workers that claim at once",
    ],
  },
  {
    id: "F12",
    what: "without a mail server nobody is told, the owner never",
    does: "Owners are told in each configured channel; a dead channel is retried, given up and shown.",
    tests: [
      "tests/scenarios/notify.test.ts > is told in every channel with its facts and a link, never a button; one ticket per matter follows it to the end",
    ],
  },
  {
    id: "F13",
    what: "taking back fails too, and the id lives in a cut-off error text",
    does: "The id stands in the journal; the run holds, a person is told, and the same removal is made again.",
    tests: [f13],
  },
  {
    id: "F14",
    what: "the record lacks key ids, approver, plan and build, and a crash loses it",
    does: "Intent and outcome are entries of the same transaction as the state; the bundle proves all of them.",
    tests: [f14],
  },
  {
    id: "F15",
    what: "deleting the rotation leaves live secrets behind",
    does: "The plan outlives the row. What is not listed is not touched, not even to roll back: the run holds with both valid until the row is back.",
    tests: [f15],
  },
];

/** Other implementations, the same question. */
export const others: readonly Item[] = [
  {
    id: "V1",
    what: "Vault, root of Azure: the note is written after the effect and names nothing",
    does: "Intent before effect, with a marker that is unique.",
    tests: [f4, crash],
  },
  {
    id: "V2",
    what: "Vault, root of Azure: removes every password that is not the new one",
    does: "Only the id in the plan is removed; another key is drift, and never touched.",
    tests: ["tests/scenarios/drift.test.ts > somebody added a key"],
  },
  {
    id: "V3",
    what: "Vault, static roles: a password that may live ten years",
    does: "What is made ends within the policy's lifetime, whatever happens to us.",
    tests: [f1],
  },
  {
    id: "V4",
    what: "rotation function: the old credential is never removed, and two events both pass",
    does: "Retirement is part of the run; one open run per application.",
    tests: [f5, f7],
  },
  {
    id: "V5",
    what: "Terraform: destroys the old before it creates the new",
    does: "Made, proven, stored and handed on before anything is removed.",
    tests: [f5],
  },
  {
    id: "V6",
    what: "Terraform: a kill while it polls leaves a secret outside its state",
    does: "The marker was committed before the call; the next start looks for it.",
    tests: [killed, crash],
  },
  {
    id: "V7",
    what: "AWS's order (store the pending value, then set it) where the vendor makes the value",
    does: "The value waits in memory until it is proven; lost, it costs one removal and one new secret.",
    tests: [f4, f6],
  },
];

const owner = "tests/scenarios/database-owner.test.ts > ";

/** The cases of the pre-mortem. */
export const dangers: readonly Item[] = [
  {
    id: "P1",
    what: "a stalled holder writes a dead value after it was taken over",
    does: "It fences itself by its own clock before each call; who takes over settles, reads, and keeps what may still be published.",
    tests: ["tests/crash/crash.test.ts > dies, stands still, and dies again while it recovers"],
  },
  {
    id: "P2",
    what: "a roll back removes the new secret while consumers hold it",
    does: "A roll back has an overlap of its own; too little time left on the old one holds with both valid.",
    tests: [hasUndone, `${rollBack}makes the run hold with both valid, and a person decides to roll back all the same`],
  },
  {
    id: "P3",
    what: "nobody knows which key the vault holds",
    does: "Graded ours, hint or unproven; unproven is never retired by itself.",
    tests: [
      "packages/core/test/procedure/procedure.test.ts > names the live one that expires first, and says unproven; the order of the listing does not matter",
    ],
  },
  { id: "P4", what: "four orders of making and storing", does: "One: prove, then store.", tests: [f6] },
  {
    id: "P5",
    what: "a creation that becomes visible late was called absent",
    does: "An unknown creation stays unknown for 24 h; the late twin is removed when seen.",
    tests: p5,
  },
  {
    id: "P6",
    what: "the gate grades too high and never ends",
    does: "Strong only when every condition holds; a shut gate names who is left.",
    missing: "Forced retirement as an approval of its own does not exist.",
    tests: ["packages/connectors/test/gate.test.ts > is strong only when every condition holds"],
  },
  {
    id: "P7",
    what: "two runs write one container",
    does: "Whole containers are lock keys, taken in sorted order.",
    tests: [
      "tests/scenarios/consumers.test.ts > write it one after the other, and neither loses what the other wrote",
      "tests/scenarios/consumers.test.ts > loses that write, which nothing can prevent; the run sees it in the audit log, says so, and goes back",
      "tests/scenarios/three-kinds.test.ts > loses nothing, not even what is written between our read and our write of the Secret",
    ],
  },
  {
    id: "P8",
    what: "whoever owns the database approves by himself",
    does: "The executor proves signatures, people and policy from files of its own host.",
    tests: [`${owner}editing the approved plan, with every digest recomputed`, `${owner}editing the stored policy`],
  },
  {
    id: "P9",
    what: "the inventory sends the secret elsewhere",
    does: "Values go only into scopes of the configuration; a new target voids approvals.",
    tests: ["tests/scenarios/drift.test.ts > a consumer has another target"],
  },
  {
    id: "P10",
    what: "names are used again",
    does: "An immutable identity is read back before each write and equals the plan's.",
    tests: ["packages/core/test/plan/drift.test.ts > a restored database server with the same names is seen"],
  },
  {
    id: "P11",
    what: "an approval runs out in the middle of a run",
    does: "Expiry limits the start; later steps stay covered.",
    tests: [
      "packages/core/test/approval/authorise.test.ts > covers later steps after the statements expired: expiry limits the start",
    ],
  },
  {
    id: "P12",
    what: "a database user forges the journal",
    does: "Functions instead of rights on tables, and the executor proves what it follows.",
    tests: [
      "packages/engine/test/store/grants.test.ts > refuses at least forty statements to each running login",
      `${owner}forging a journal that a roll back would follow`,
    ],
  },
  {
    id: "P13",
    what: "custody is not stated",
    does: "One role per process, each with its own secrets; the doctor says what one holds too much.",
    tests: ["tests/scenarios/roles.test.ts > is not separated, and the doctor says by what"],
  },
  {
    id: "P14",
    what: "nobody can start, or anybody can",
    does: "init makes keys, trust file and founders; what is not accepted is read-only.",
    missing: "Nobody can be enrolled later; passkeys do not exist.",
    tests: [
      "tests/scenarios/read-only.test.ts > says that a policy was edited and not activated, takes no request meanwhile, and ends with the edit",
    ],
  },
  {
    id: "P15",
    what: "whoever moves the clock skips overlap and windows",
    does: "Leases are real time; a virtual clock is for demo and test on loopback and stamped everywhere.",
    tests: ["packages/server/test/api/access.test.ts > has neither local sign-in nor clock control"],
  },
  {
    id: "P16",
    what: "old values are kept sealed",
    does: "The record is the only source of a value; nothing of ours stores one.",
    tests: ["tests/crash/crash.test.ts > leaves no secret in its tables, its output, its bundles or its state"],
  },
  {
    id: "P17",
    what: "names in a log that cannot forget",
    does: "Entries hold opaque ids and digests; an erased attachment verifies as erased.",
    tests: ["tests/bundles/insider.test.ts > an erased reason verifies as erased by an entry of the log"],
  },
  {
    id: "P18",
    what: "a restored backup does yesterday again",
    does: "A high-water mark outside the database: behind it nothing begins and nothing is done.",
    tests: [
      "tests/scenarios/restored.test.ts > does nothing again until a person has read what it lacks, and then only what people approve anew",
    ],
  },
];
