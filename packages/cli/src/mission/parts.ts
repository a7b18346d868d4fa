import type { Item } from "./list.ts";

const scenario = (file: string, name: string) => `tests/scenarios/${file}.test.ts > ${name}`;
const rotation = scenario(
  "rotation",
  "is found by the daily scan, approved by two people, rotated, and removed only after overlap and last use",
);
const firstLook = scenario("survey", "a scan counts what the tenant holds, says what nobody owns, and changes nothing");
const said = scenario(
  "approval",
  "says exactly what was shown: another digest, an edited statement, another person's statement are refused",
);
const told = scenario(
  "notify",
  "is told in every channel with its facts and a link, never a button; one ticket per matter follows it to the end",
);
const undone = scenario(
  "rollback",
  "has everything undone in reverse; the new secret stays until nobody can hold it; owners are told",
);
const emergency = scenario(
  "emergency",
  "is replaced, removed without overlap, and shown dead; consumers that could be written never failed",
);
const inventorySeen = scenario(
  "inventory-seen",
  "says what is gone, another application, not the writer's, and who uses it beside those declared; unknown is not fine",
);
const inventoryPage =
  "tests/browser/console.test.ts > says of each row what to do about it, as a command or a line to add, at an address that can be shared";

/** The twenty parts of the mission. */
export const parts: readonly Item[] = [
  {
    id: "M1",
    what: "scheduled trigger",
    does: "A daily scan finds what expires and files runs.",
    missing: "Certificates and service principals are not rotated.",
    tests: [rotation, firstLook],
  },
  {
    id: "M2",
    what: "webhook trigger",
    does: "Signed webhooks, Event Grid and changes in the directory's audit log are verified, taken once and routed by the user's rules; they only propose.",
    tests: [
      scenario(
        "audit-events",
        "is a request by the rules of the directory's log, which waits for people; pushed again later it is the same",
      ),
      scenario(
        "webhooks",
        "proposes one run, however often and from how many sides it comes, and the run waits for people",
      ),
    ],
  },
  {
    id: "M3",
    what: "manual and break-glass triggers",
    does: "A person asks; one alone may start what policy lets them, is confirmed and reviewed.",
    tests: [
      scenario(
        "break-glass",
        "starts an emergency with a reason, a second one confirms it, a review ends it: more evidence, not less",
      ),
    ],
  },
  {
    id: "M4",
    what: "allowlist",
    does: "What is not in the accepted inventory is never touched.",
    missing: "No REST source; SharePoint was tried against our double only.",
    tests: [
      scenario("database-owner", "lets nothing begin, whatever it would allow: inventory"),
      scenario(
        "inventory-pull",
        "shows what it says otherwise, is taken only as it was shown, and counts only once it is accepted",
      ),
      scenario("inventory", "an inventory may be a CSV file; a mistake in it is named by line, column and cell"),
    ],
  },
  {
    id: "M5",
    what: "ownership",
    does: "Owners decide and are told; nobody owning is a finding.",
    tests: [
      scenario("drift", "the application has another owner"),
      scenario("portal", "of an application that nobody owns gets a ticket, and nothing is changed"),
      firstLook,
    ],
  },
  {
    id: "M6",
    what: "blast radius",
    does: "Declared consumers stand in the plan, observed callers beside them; a use that scans have found and nobody has declared is said to whoever decides.",
    missing:
      "Of a vault that may not be listed nothing is known; kinds of consumers that a scan cannot see are known only when declared.",
    tests: [
      inventorySeen,
      scenario("before-it-is-late", "whoever decides over a plan is told where it is used that nobody has declared"),
      scenario(
        "consumers",
        "waits for the owner's word and a day for the reference; none of them ever fails to sign in",
      ),
    ],
  },
  {
    id: "M7",
    what: "policy",
    does: "One document with a digest: windows, overlap, lifetime, approvals.",
    tests: [
      "packages/cli/test/commands.test.ts > `policy what-if` says what another policy would change for each application, and changes nothing",
      "packages/core/test/policy/policy.test.ts > names each application and each value that changes",
      "packages/core/test/time/windows.test.ts > nextOpening is open, and nothing before it is",
    ],
  },
  {
    id: "M8",
    what: "AI is advisory",
    does: "No part of the product takes output of a model.",
    missing: "There is no interface for agents yet, so nothing shows that one cannot approve.",
    tests: [],
  },
  {
    id: "M9",
    what: "supervised and unsupervised",
    does: "Every run waits for people.",
    missing: "Standing approvals do not exist, so nothing is unsupervised.",
    tests: [rotation],
  },
  {
    id: "M10",
    what: "approval payload",
    does: "One page shows everything that will be done, and what cannot be undone.",
    tests: ["tests/browser/console.test.ts > shows the whole payload at 1440 x 900 without scrolling"],
  },
  {
    id: "M11",
    what: "approval binding",
    does: "A yes is bound to one digest; drift voids it and says why.",
    missing: "No delegation; passkeys do not exist.",
    tests: [
      said,
      scenario("approval", "is not given by who asked for the run"),
      scenario("drift", "somebody added a key"),
    ],
  },
  {
    id: "M12",
    what: "deterministic execution",
    does: "A versioned procedure makes the list of steps; the same input, the same bytes.",
    tests: [
      rotation,
      "packages/core/test/procedure/procedure.test.ts > is as it was released",
      "tests/model/model.test.ts > has the same history each time it is played",
    ],
  },
  {
    id: "M13",
    what: "connectors",
    does: "Entra, Key Vault, Azure DevOps, App Service, GitHub, Kubernetes, files, PostgreSQL, described interfaces, steps by hand.",
    missing: "No AWS, GCP, GitLab, Vault, MySQL, Redis, SharePoint; doubles only but for PostgreSQL.",
    tests: [
      scenario("consumers", "rolls back all of them, waits for the owner to put his back, and for the reference's day"),
    ],
  },
  {
    id: "M14",
    what: "evidence",
    does: "Each run leaves a bundle that two verifiers prove offline.",
    missing: "No anchor outside.",
    tests: [rotation, "tests/bundles/python.test.ts > a good bundle is proven as a folder and as a zip: %s"],
  },
  {
    id: "M15",
    what: "version-aware monitoring",
    does: "Procedure and build stand in plan and entries.",
    missing: "No page counts success by version.",
    tests: [
      "tests/scenarios/regressions/infisical.test.ts > F14: the record has old and new key id, who approved, the plan's digest and the build, for each effect",
    ],
  },
  {
    id: "M16",
    what: "exceptions",
    does: "A failure stops, rolls back or holds, tells owners and opens a ticket; a held run can be closed as it stands by two people.",
    tests: [
      undone,
      told,
      "tests/model/model.test.ts > does after each command what the model says, and ends as it says",
      scenario(
        "close",
        "is closed as it stands by an owner and a second person of security, over a list of what remains",
      ),
    ],
  },
  {
    id: "M17",
    what: "example 1: expiring",
    does: "Scan, two approvals, rotation, overlap, evidence.",
    tests: [rotation],
  },
  {
    id: "M18",
    what: "example 2: a long-lived secret",
    does: "An event about a secret that somebody made leads to a compliant one: security approves, an owner moves its holder, that keyId goes. No owner: a ticket, nothing is changed.",
    tests: [
      scenario(
        "portal",
        "is replaced by a compliant one after security's yes, and goes alone once its holder was moved and seen",
      ),
      scenario("portal", "of an application that nobody owns gets a ticket, and nothing is changed"),
      scenario(
        "executor-killed",
        "ends with one new secret and without the named one; nothing is orphaned, nobody fails",
      ),
      scenario(
        "portal",
        "stays while it is still used, whatever the owner said, and goes when its holder was moved indeed",
      ),
      "packages/core/test/validation/validate.test.ts > a credential that lives too long is due at once",
      scenario("fleet", "keeps what was said: when it was first seen, last seen and cleared"),
    ],
  },
  {
    id: "M19",
    what: "people where they work",
    does: "Slack, Teams, mail, webhooks, Jira and ServiceNow.",
    missing: "No WhatsApp or Xurrent; no agent in chat; only mail was tried against a real server.",
    tests: [
      told,
      scenario(
        "mail",
        "each approver gets one mail with all there is to know and the way to the page, and the requester none",
      ),
    ],
  },
  {
    id: "M20",
    what: "the right tenant",
    does: "Identity is read back before each effect and equals the plan's; each tenant has callers of its own.",
    tests: [
      "packages/core/test/plan/drift.test.ts > %s is seen",
      scenario(
        "two-tenants",
        "rotates each application in its own tenant, and touches its namesake in the other one never",
      ),
      scenario(
        "two-tenants",
        "carries out no plan while the names of its tenants are mixed up, and the same plan once they are put right",
      ),
      scenario("two-tenants", "plans nothing for a row that names one tenant and the application of the other"),
    ],
  },
];

/** What is expected on day one. */
export const onDayOne: readonly Item[] = [
  {
    id: "D1",
    what: "least privilege and its report",
    does: "The writer owns what it may change; a command and the console say of what it does not yet and how it comes to; the first look says which rights are missing.",
    missing: "What a vault allows our client is not read.",
    tests: [
      scenario("inventory", "a report says what the clients lack, and what they may do beyond what they need"),
      inventorySeen,
      inventoryPage,
      scenario(
        "inventory",
        "a report says which applications the writer may rotate, and the exact command that gives it the others; it only reads",
      ),
      scenario("survey", "a person is shown counts and the most urgent rows; without rights it says which are missing"),
    ],
  },
  {
    id: "D2",
    what: "consumers are found",
    does: "Callers of the old key are named by the gate; sign-ins and vault entries that nobody declared are found each day, are a finding, are told to owners each week, and stand in the console with the line to add.",
    missing: "Of a vault that may not be listed nothing is known.",
    tests: [
      inventorySeen,
      inventoryPage,
      scenario(
        "inventory",
        "a check says both ways what does not fit, names owners who left, and fails when something is to be mended",
      ),
      scenario(
        "gate",
        "never retires while one caller still uses the old secret, tells the owners, and opens when the last has switched",
      ),
    ],
  },
  {
    id: "D3",
    what: "inventory draft",
    does: "A draft of every row from a tenant, each guess marked and nothing enabled, as YAML or CSV.",
    missing: "A draft reads Graph and not the ledger; SharePoint was tried against our double only.",
    tests: [
      scenario(
        "inventory",
        "a draft names every application with a secret, guesses only what is marked as a guess, and enables nothing",
      ),
      scenario(
        "inventory-pull",
        "shows what it says otherwise, is taken only as it was shown, and counts only once it is accepted",
      ),
      scenario("survey", "every row comes as CSV, with nothing in it that a spreadsheet would run"),
    ],
  },
  {
    id: "D4",
    what: "exceptions register",
    does: "Two people accept a finding until a date, as it is seen; then it counts again by itself.",
    missing: "Of findings of the fleet only, one by one: no rule accepts a kind of them.",
    tests: [
      scenario(
        "acceptances",
        "is asked for by its owner, confirmed by security and by nobody else, counts no more, and stands open again on its date",
      ),
    ],
  },
  {
    id: "D5",
    what: "set and standing approvals",
    does: "Each plan is decided by itself.",
    missing: "Neither exists.",
    tests: [],
  },
  {
    id: "D6",
    what: "owners",
    does: "Technical and business owners, and owners of single credentials, in the inventory; each is told of what is his, policy may ask the business to agree; one person alone is a finding.",
    tests: [
      scenario(
        "owners",
        "the owner of one credential is told that it expires, beside the application's owners, and has it in his week alone",
      ),
      scenario(
        "owners",
        "a plan waits for whoever answers for the business where policy says so, and starts with that yes",
      ),
      scenario("owners", "whoever answers for the business is told of trouble"),
      scenario(
        "owners",
        "of a change that no run has made hear whoever answers for the business, and the owner of that very credential",
      ),
    ],
  },
  {
    id: "D7",
    what: "approver health and reminders",
    does: "Too few approvers block the plan; reminders and escalation are rows.",
    missing: "No rules to re-route.",
    tests: [
      scenario(
        "notify",
        "is reminded of at the configured times, once each, whatever is restarted; then a further role is told; it expires with a ticket",
      ),
    ],
  },
  {
    id: "D8",
    what: "no-op and conflict",
    does: "Not due blocks; an open run is the answer to another request.",
    tests: [
      "packages/core/test/validation/validate.test.ts > %s",
      "tests/scenarios/regressions/infisical.test.ts > F7: asking twice, or twice at once, makes one run, and the old secret stays for its overlap",
    ],
  },
  {
    id: "D9",
    what: "one ticket per matter",
    does: "A ticket is looked up before one is made.",
    missing: "No change ticket as a precondition.",
    tests: [scenario("notify", "to the creation of a ticket leads to no second one, however long the search lags")],
  },
  {
    id: "D10",
    what: "digests and caps",
    does: "A channel bundles once a day, with a limit; owners hear of what expires at each time that policy names, and weekly of all that is theirs; an owner whose mail is refused is a finding.",
    tests: [
      scenario(
        "mail",
        "an owner whose mail is refused is a finding of each of his applications, until one is taken again",
      ),
      scenario("notify", "goes out once a day, with so many items and a word about the rest"),
      scenario(
        "before-it-is-late",
        "at each time that policy names, once, whatever is restarted, and over a channel that works when another is dead",
      ),
      scenario(
        "before-it-is-late",
        "is told on Monday at eight in Berlin, to each owner once by two notifiers, and not to whom it has nothing new to say",
      ),
    ],
  },
  {
    id: "D11",
    what: "kill switch",
    does: "No new effect within 2 s; rolling back goes on; security lifts it.",
    tests: [
      scenario("freeze", "lets no new effect happen after two seconds; roll back goes on; security alone lifts it"),
      scenario(
        "kill-switch",
        "keeps an old secret from being retired, and what it kept waiting goes on when it is lifted",
      ),
    ],
  },
  {
    id: "D12",
    what: "daily reconciliation with the audit log",
    does: "Each change of a credential in the directory's audit log is ours, break-glass, out of band, or unknown and why; owners, security and operators hear of what is out of band, a person explains it, and rules may propose a run.",
    missing: "Event Hubs are not read; a push comes through a webhook.",
    tests: [
      scenario(
        "audit",
        "is a finding until a person who answers for it says what it was, and then an entry of the log",
      ),
      scenario(
        "audit-events",
        "that was pushed first is the same when the directory's log is read, also in another process",
      ),
      scenario(
        "audit",
        "is out of band where a person, another program or a thief of our own credential did it, and operators hear of each once",
      ),
      scenario("audit", "is the same list that the tenant itself keeps, over a span without a hole"),
      "packages/engine/test/store/scans.test.ts > calls a credential ours only if its marker names a committed intent, and an orphan once that run has ended",
    ],
  },
  {
    id: "D13",
    what: "compromise clock",
    does: "An emergency run says when each was reported, live and dead.",
    tests: [emergency],
  },
  {
    id: "D14",
    what: "what auditors ask for",
    does: "Requester, approvers and executor differ; times come from one clock that is named. All changes and runs of a period are exported with query, counts, gaps and a sample by the auditor's seed, and prove that no row is missing.",
    missing: "The log holds how many changes each look has read, not what each row says of one.",
    tests: [
      rotation,
      scenario("audit", "is exported with every run of the period, as a list that both verifiers prove to be whole"),
    ],
  },
];
