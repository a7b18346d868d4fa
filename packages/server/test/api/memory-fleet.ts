import type { Credential, Unread } from "@countersign/contract";
import { type AcceptanceState, CountersignError, type FleetCode } from "@countersign/core";
import type { Compared, Expiry, ListedChangeRow, UsesFound } from "@countersign/engine";
import { digestOf } from "@countersign/evidence";
import type { ApiStore, StoredFinding } from "../../src/api/index.ts";
import { MemoryLog } from "./memory-log.ts";

const dayMs = 86_400_000;
const filters = ["state", "kind", "tenant", "expiry", "managed"] as const;

function expiryOf(expiresAt: string | null, now: number): Expiry {
  if (expiresAt === null) return "never";
  const days = (Date.parse(expiresAt) - now) / dayMs;
  return days <= 0 ? "expired" : days <= 7 ? "7-days" : days <= 30 ? "30-days" : days <= 90 ? "90-days" : "later";
}

/** A page from the `after`th on, and where the next one begins. */
function pageOf<T>(fitting: readonly T[], after: string | null, limit: number) {
  const start = after === null ? 0 : Number(after);
  return {
    items: fitting.slice(start, start + limit),
    next: start + limit < fitting.length ? String(start + limit) : null,
  };
}

/** What {@link ApiStore} says of the whole directory: credentials, findings and their acceptances, changes. */
export class MemoryFleet extends MemoryLog {
  readonly credentials: Credential[] = [];
  readonly said: StoredFinding[] = [];
  readonly changes: ListedChangeRow[] = [];
  readonly unread: Unread[] = [];
  /** By row of the inventory; one that is not here agrees. */
  readonly compared = new Map<string, Partial<Compared>>();
  /** By object id. */
  readonly found = new Map<string, UsesFound>();
  readonly vaults: Awaited<ReturnType<ApiStore["vaultReadings"]>> = [];
  /** When sign-ins were read; null: the directory does not give them. */
  callersReadAt: number | null = null;

  async credentialsOf(rows: Parameters<ApiStore["credentialsOf"]>[0]) {
    return this.credentials.filter(({ application }) => rows.some(({ name }) => name === application));
  }
  async ledger({ filter, now, after, limit }: Parameters<ApiStore["ledger"]>[0]) {
    const found = this.credentials
      .filter(({ name, id }) => filter.search === undefined || id === filter.search || name.includes(filter.search))
      .map((credential) => ({
        credential,
        word: {
          state: credential.state,
          kind: credential.kind,
          tenant: credential.tenant,
          expiry: expiryOf(credential.expiresAt, now),
          managed: credential.application !== null,
        },
      }));
    const fitting = found
      .filter(({ word }) => filters.every((key) => filter[key] === undefined || filter[key] === word[key]))
      .map(({ credential }) => credential)
      .toSorted((a, b) => ((a.expiresAt ?? "9999") < (b.expiresAt ?? "9999") ? -1 : 1));
    return {
      ...pageOf(fitting, after, limit),
      counts: found.map(({ word }) => ({ ...word, count: 1 })),
    };
  }
  async expiryWeeks(now: number, weeks: number) {
    return this.credentials.flatMap(({ expiresAt, application }) => {
      const week = Math.floor((Date.parse(expiresAt ?? "9999-01-01") - now) / (7 * dayMs));
      return week >= 0 && week < weeks ? [{ week, row: application, count: 1 }] : [];
    });
  }
  async fleetFindings({ filter, now, after, limit }: Parameters<ApiStore["fleetFindings"]>[0]) {
    const stateOf = ({ acceptance }: StoredFinding): AcceptanceState =>
      acceptance === null
        ? "none"
        : acceptance.confirmedAt === null
          ? "asked"
          : Date.parse(acceptance.until) <= now
            ? "expired"
            : "accepted";
    const words = this.said
      .map((finding): StoredFinding => {
        const state = stateOf(finding);
        const { acceptance } = finding;
        return { ...finding, acceptance: acceptance === null || state === "none" ? null : { ...acceptance, state } };
      })
      .filter(
        ({ name, objectId, clearedAt }) =>
          (clearedAt !== null) === (filter.cleared === true) &&
          (filter.search === undefined || name?.includes(filter.search) === true) &&
          (filter.objectId === undefined || objectId === filter.objectId),
      )
      .map((finding) => ({
        finding,
        word: {
          code: finding.code as FleetCode,
          tenant: finding.tenant ?? "",
          environment: finding.environment ?? "",
          listed: finding.application !== null,
          acceptance: stateOf(finding),
        },
      }));
    const fitting = words
      .filter(({ word: { acceptance: is } }) =>
        filter.acceptance === "counting"
          ? is !== "accepted"
          : filter.acceptance === undefined || is === filter.acceptance,
      )
      .filter(({ word }) =>
        (["code", "tenant", "environment", "listed"] as const).every(
          (key) => filter[key] === undefined || filter[key] === word[key],
        ),
      )
      .map(({ finding }) => finding);
    return {
      ...pageOf(fitting, after, limit),
      unread: this.unread,
      counts: words.map(({ word }) => ({ ...word, count: 1 })),
    };
  }
  async auditChanges({ filter, after, limit }: Parameters<ApiStore["auditChanges"]>[0]) {
    const found = this.changes
      .filter(({ objectId, credential, actor, at }) => {
        const isOf = filter.objectId === undefined || filter.objectId === objectId;
        const has = filter.id === undefined || [objectId, credential, actor].includes(filter.id);
        return isOf && has && at >= (filter.since ?? 0);
      })
      .toSorted((a, b) => b.at - a.at);
    const fitting = found.filter(
      ({ tenant, verdict, stands }) =>
        (filter.tenant === undefined || filter.tenant === tenant) &&
        (filter.verdict === undefined || filter.verdict === verdict) &&
        (filter.standing === undefined || filter.standing === stands),
    );
    return {
      ...pageOf(fitting, after, limit),
      counts: found.map(({ tenant, verdict, stands }) => ({ tenant, verdict, standing: stands, count: 1 })),
    };
  }
  async auditChange(of: Parameters<ApiStore["auditChange"]>[0]) {
    return (
      this.changes.find((one) => one.entry === of.entry && one.credential === of.credential && one.act === of.act) ??
      null
    );
  }
  async explainChange(of: Parameters<ApiStore["explainChange"]>[0]) {
    const change = await this.auditChange(of);
    const place = this.changes.findIndex((one) => one === change);
    if (change === null) throw new CountersignError("NOT_FOUND", "expected a change");
    if (change.explainedAt !== null) throw new CountersignError("STATE_CONFLICT", "expected a change that waits");
    this.keep([of.reason]);
    const said = { explainedBy: of.person, explainedAt: of.at, explanation: of.reason.digest, stands: false };
    this.changes[place] = { ...this.changes[place]!, ...said };
    this.append(of.at, "audit.explained", {});
  }
  async inventoryCompared(...[rows, , page]: Parameters<ApiStore["inventoryCompared"]>) {
    return rows
      .map(({ name, appId }, index) => {
        const same = { n: index + 1, matters: [], name, appId, goneAt: null, ownersReadAt: null };
        return { ...same, ...this.compared.get(name) };
      })
      .filter(({ matters }) =>
        page.matter === undefined
          ? true
          : page.matter === "any" || page.matter === "none"
            ? matters.length > 0 === (page.matter === "any")
            : (matters as string[]).includes(page.matter),
      )
      .slice(0, page.limit);
  }
  async inventoryCounts(rows: Parameters<ApiStore["inventoryCounts"]>[0]) {
    return rows.map(({ name, tenant, environment }) => {
      return { tenant, environment, matters: this.compared.get(name)?.matters ?? [], count: 1 };
    });
  }
  async inventoryStandings(writers: Parameters<ApiStore["inventoryStandings"]>[0]) {
    return [...writers.keys()].map((tenant) => ({
      tenant,
      writer: "0a0a0a0a-0000-4000-8000-000000000009",
      listedAt: 1_795_000_000_000,
      ownersReadAt: 1_795_000_000_000,
      callersReadAt: this.callersReadAt,
      callersAvailable: this.callersReadAt !== null,
    }));
  }
  async usesFound(targets: Parameters<ApiStore["usesFound"]>[0]) {
    return new Map(
      targets.map(({ tenant, objectId }) => [
        `${tenant} ${objectId}`,
        this.found.get(objectId) ?? { entries: [], callers: [] },
      ]),
    );
  }
  async vaultReadings() {
    return this.vaults;
  }
  async unlisted() {
    const open = this.said.filter(({ code, clearedAt }) => code === "unmanaged" && clearedAt === null);
    return new Map([...Map.groupBy(open, ({ tenant }) => tenant ?? "")].map(([tenant, of]) => [tenant, of.length]));
  }
  async lateScans() {
    return this.said.flatMap(({ code, tenant }) => (code === "scan-late" && tenant !== null ? [tenant] : []));
  }
  async failedScans() {
    return [];
  }
  /** Acceptances are numbered as the findings that they are of. */
  async askAcceptances({ findings, until, person, reason, at }: Parameters<ApiStore["askAcceptances"]>[0]) {
    const reasonDigest = digestOf(reason);
    this.attachments.set(reasonDigest, reason);
    for (const id of findings) {
      const acceptance = {
        id,
        state: "asked" as const,
        until: new Date(until).toISOString(),
        askedBy: person,
        askedAt: new Date(at).toISOString(),
        reasonDigest,
        confirmedBy: null,
        confirmedAt: null,
      };
      this.#accept(id, () => acceptance);
    }
    this.append(at, "acceptance.asked", {});
    return [...findings];
  }
  async confirmAcceptances({ acceptances, person, at }: Parameters<ApiStore["confirmAcceptances"]>[0]) {
    const confirmedAt = new Date(at).toISOString();
    for (const id of acceptances)
      this.#accept(id, (was) => (was === null ? null : { ...was, confirmedBy: person, confirmedAt }));
    this.append(at, "acceptance.confirmed", {});
  }
  async withdrawAcceptances({ acceptances, at }: Parameters<ApiStore["withdrawAcceptances"]>[0]) {
    for (const id of acceptances) this.#accept(id, () => null);
    this.append(at, "acceptance.withdrawn", {});
  }
  async acceptancesAskedBy(ids: readonly number[]) {
    return this.said.flatMap(({ id, acceptance }) =>
      acceptance !== null && ids.includes(id ?? -1) ? [acceptance.askedBy] : [],
    );
  }
  #accept(id: number, change: (was: StoredFinding["acceptance"]) => StoredFinding["acceptance"]): void {
    const index = this.said.findIndex((finding) => finding.id === id);
    const finding = this.said[index];
    if (finding === undefined) throw new CountersignError("NOT_FOUND", `expected a finding of the fleet, got ${id}`);
    this.said[index] = { ...finding, acceptance: change(finding.acceptance) };
  }
}
