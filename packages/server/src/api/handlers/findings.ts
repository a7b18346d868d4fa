import type { Finding, ListedFinding } from "@countersign/contract";
import { type AcceptanceState, CountersignError, type FleetCode, fleetCodes } from "@countersign/core";
import type { ApiDependencies } from "../dependencies.ts";
import type { Handler } from "../handler.ts";
import type { KnownPerson, RunRecord, StoredFinding } from "../ports.ts";
import { lastOf, readEntries } from "../views/entries.ts";
import { decodeCursor, encodeCursor, facetOf, facetsOf, pageOf } from "../views/page.ts";
import { newReason, reasonText } from "../views/reason.ts";
import { sentenceOf } from "../views/sentences.ts";

const runsMax = 1_000;

/** Runs of each row, the newest first. */
export async function runsByRow(api: ApiDependencies): Promise<Map<string, RunRecord[]>> {
  const byRow = new Map<string, RunRecord[]>();
  for (const run of await api.store.runs({ limit: runsMax })) byRow.set(run.row, [...(byRow.get(run.row) ?? []), run]);
  return byRow;
}

/** What the newest validation of each row found, the worst first. */
export async function allFindings(api: ApiDependencies): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const [row, [newest]] of await runsByRow(api)) {
    if (newest === undefined) continue;
    const validated = lastOf(readEntries(await api.store.runEntries(newest.id, 0, 10)), "run.validated");
    for (const { code, result, observed, required } of validated?.data.findings ?? []) {
      if (result === "pass") continue;
      found.push({
        code,
        result,
        sentence: sentenceOf(code),
        observed,
        required,
        application: row,
        run: newest.id,
        at: validated?.at ?? null,
      });
    }
  }
  for (const row of api.inventory().rows) {
    if (row.owners.length > 0 || found.some((finding) => finding.application === row.name)) continue;
    const code = "no-owner";
    found.push({
      code,
      result: "block",
      sentence: sentenceOf(code),
      observed: 0,
      required: 1,
      application: row.name,
      run: null,
      at: null,
    });
  }
  return found.sort((a, b) => (a.result === b.result ? 0 : a.result === "block" ? -1 : 1));
}

/** What acceptances must mean for a finding to be in a list. */
const acceptances = {
  open: "counting",
  accepted: "accepted",
  asked: "asked",
  expired: "expired",
  cleared: undefined,
} as const;

export const listFindings: Handler<"listFindings"> = async ({ api, query, person }) => {
  if (query.of === "runs") return ofRuns(api, query);
  const { code, tenant, environment, state } = query;
  const wanted = {
    code,
    tenant,
    environment,
    listed: query.listed === undefined ? undefined : query.listed === "true",
  };
  const row = api.inventory().rows.find(({ name }) => name === query.application);
  const objectId = row?.procedure === "entra-client-secret" ? row.objectId : "";
  const found = await api.store.fleetFindings({
    filter: {
      search: query.q,
      cleared: state === "cleared",
      acceptance: acceptances[state],
      ...wanted,
      code: fleetCode(code),
      ...(query.application === undefined ? {} : { objectId }),
    },
    now: api.now(),
    after: query.cursor === undefined ? null : decodeCursor(query.cursor),
    limit: query.limit,
  });
  const within = (of: keyof typeof acceptances) => found.counts.filter((count) => isIn(of, count.acceptance));
  const states = (
    state === "cleared" ? (["cleared"] as const) : (["open", "accepted", "asked", "expired"] as const)
  ).map((value) => ({ value, count: facetsOf(within(value), wanted).total }));
  const { total, facets } = facetsOf(within(state), wanted);
  return {
    items: await Promise.all(found.items.map((item) => findingFor(api, item, person))),
    nextCursor: found.next === null ? null : encodeCursor(found.next),
    total,
    facets: { ...facets, state: states },
    unread: [...found.unread],
  };
};

function isIn(state: keyof typeof acceptances, acceptance: AcceptanceState): boolean {
  const wanted = acceptances[state];
  return wanted === undefined || (wanted === "counting" ? acceptance !== "accepted" : acceptance === wanted);
}

/** A finding as this person is shown it: with the reason, and what may be done about its acceptance. */
async function findingFor(api: ApiDependencies, item: StoredFinding, person: KnownPerson): Promise<ListedFinding> {
  if (item.acceptance === null) return { ...item, acceptance: null };
  const { reasonDigest, ...said } = item.acceptance;
  const isOver = said.state === "expired" ? "it is over" : null;
  const why = {
    confirm:
      isOver ??
      (said.confirmedBy !== null
        ? "it is confirmed"
        : said.state !== "asked"
          ? "something else is seen than was asked for"
          : mayConfirm(person, [said.askedBy])),
    withdraw: isOver ?? mayWithdraw(person, [said.askedBy]),
  };
  const you = {
    confirm: { allowed: why.confirm === null, why: why.confirm },
    withdraw: { allowed: why.withdraw === null, why: why.withdraw },
  };
  return { ...item, acceptance: { ...said, reason: await reasonText(api.store, reasonDigest), you } };
}

/** Why this person may not accept what these have asked for; null: he may. */
function mayConfirm({ person, roles }: KnownPerson, askedBy: readonly string[]): string | null {
  if (!roles.includes("security")) return "expected somebody of security";
  return askedBy.includes(person) ? "expected a second person, got the one who asked" : null;
}

/** Why this person may not take back what these have asked for; null: he may. */
function mayWithdraw({ person, roles }: KnownPerson, askedBy: readonly string[]): string | null {
  return roles.includes("security") || askedBy.every((asked) => asked === person)
    ? null
    : "expected the one who asked, or somebody of security";
}

export const askAcceptances: Handler<"askAcceptances"> = async ({ api, body, person }) => {
  const at = api.now();
  const until = Date.parse(body.until);
  const daysMax = api.acceptanceDaysMax;
  if (!(until > at && until <= at + daysMax * 86_400_000))
    throw new CountersignError("INPUT_INVALID", `expected a time within the next ${daysMax} days, got ${body.until}`);
  const { bytes: reason } = newReason(body.reason);
  const findings = inOrder(body.findings);
  return { acceptances: await api.store.askAcceptances({ findings, until, person: person.person, reason, at }) };
};

export const confirmAcceptances: Handler<"confirmAcceptances"> = async ({ api, body, person }) => {
  const why = mayConfirm(person, await api.store.acceptancesAskedBy(body.acceptances));
  if (why !== null) throw new CountersignError("FORBIDDEN", why);
  await api.store.confirmAcceptances({ ...wordOf(body), person: person.person, at: api.now() });
  return wordOf(body);
};

export const withdrawAcceptances: Handler<"withdrawAcceptances"> = async ({ api, body, person }) => {
  const why = mayWithdraw(person, await api.store.acceptancesAskedBy(body.acceptances));
  if (why !== null) throw new CountersignError("FORBIDDEN", why);
  await api.store.withdrawAcceptances({ ...wordOf(body), person: person.person, at: api.now() });
  return wordOf(body);
};

const wordOf = ({ acceptances }: { readonly acceptances: readonly number[] }) => ({
  acceptances: inOrder(acceptances),
});

/** In one order for everybody: two people who say something at once do not wait for each other. */
const inOrder = (ids: readonly number[]) => [...new Set(ids)].toSorted((a, b) => a - b);

function fleetCode(code: string | undefined): FleetCode | undefined {
  if (code === undefined || code in fleetCodes) return code as FleetCode | undefined;
  throw new CountersignError("INPUT_INVALID", `expected a code of docs/findings.md, got ${code}`);
}

/** What validation found, in the shape of the list of all. */
async function ofRuns(
  api: ApiDependencies,
  query: {
    readonly application?: string | undefined;
    readonly result?: string | undefined;
    readonly code?: string | undefined;
    readonly cursor?: string | undefined;
    readonly limit: number;
  },
) {
  const rows = new Map(api.inventory().rows.map((row) => [row.name, row]));
  const all = (await allFindings(api))
    .filter(
      (row) =>
        (query.application === undefined || row.application === query.application) &&
        (query.result === undefined || row.result === query.result) &&
        (query.code === undefined || row.code === query.code),
    )
    .map((finding): ListedFinding => {
      const row = rows.get(finding.application ?? "");
      return {
        ...finding,
        tenant: row?.tenant ?? null,
        environment: row?.environment ?? null,
        name: null,
        objectId: null,
        appId: null,
        credential: null,
        firstSeenAt: finding.at,
        lastSeenAt: finding.at,
        clearedAt: null,
        id: null,
        acceptance: null,
      };
    });
  return {
    ...pageOf(all, (row) => [row.application ?? "", row.code, row.run ?? ""], query),
    facets: { code: facetOf(all.map((row) => row.code)), result: facetOf(all.map((row) => row.result)) },
    unread: [],
  };
}
