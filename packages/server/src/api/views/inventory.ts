import { type ComparedRow, type FoundUse, Matter } from "@countersign/contract";
import { declarationOf, declaredBy, type EntraRow, undeclared } from "@countersign/core";
import type { Compared, ComparedRow as GivenRow, MatterCount, UsesFound } from "@countersign/engine";
import { facetOfCounts } from "./page.ts";
import { iso } from "./time.ts";

/** What of a row the ledger is asked about. */
export function comparedOf(row: EntraRow): GivenRow {
  const { name, tenant, environment, objectId, appId } = row;
  return { name, tenant, environment, objectId, appId, declared: declaredBy(row) };
}

/** A row beside what the ledger shows of it; `uses`: all that was found, declared or not. */
export function comparedView(
  row: EntraRow,
  compared: Compared,
  grant: ComparedRow["grant"],
  uses: UsesFound = { entries: [], callers: [] },
): ComparedRow {
  const { matters } = compared;
  return {
    application: row.name,
    tenant: row.tenant,
    environment: row.environment,
    objectId: row.objectId,
    appId: row.appId,
    name: compared.name,
    matters,
    goneAt: iso(compared.goneAt),
    otherAppId: matters.includes("other-application") ? compared.appId : null,
    ownersReadAt: iso(compared.ownersReadAt),
    grant,
    found: matters.includes("not-declared") ? foundView(row, uses) : [],
  };
}

/** What was found in use and the row does not declare, each with the line that declares it. */
export function foundView(row: EntraRow, uses: UsesFound): FoundUse[] {
  const beside = undeclared(row, uses.entries, uses.callers);
  return [
    ...beside.entries.map((entry) => ({
      kind: "entry" as const,
      where: `${entry.connection}/${entry.name}`,
      because: entry.because,
      lastAt: null,
      declare: declarationOf(row, entry),
    })),
    ...beside.callers.map((caller) => ({
      kind: "caller" as const,
      where: caller.address,
      because: null,
      lastAt: iso(caller.lastAt),
      declare: declarationOf(row, caller),
    })),
  ];
}

interface Wanted {
  readonly tenant?: string | undefined;
  readonly environment?: string | undefined;
  readonly matter?: Matter | "any" | "none" | undefined;
}

/** Total and choices; each choice is counted without its own filter. A row with two matters counts for both. */
export function inventoryFacets(
  counts: readonly MatterCount[],
  wanted: Wanted,
): { total: number; facets: Record<"tenant" | "environment" | "matter", { value: string; count: number }[]> } {
  const fits = (count: MatterCount, except: keyof Wanted | null) =>
    (["tenant", "environment"] as const).every(
      (key) => key === except || wanted[key] === undefined || wanted[key] === count[key],
    ) &&
    (except === "matter" || isOf(count, wanted.matter));
  const within = (except: keyof Wanted | null) => counts.filter((count) => fits(count, except));
  const words = ["any", ...Matter.options, "none"] as const;
  return {
    total: sumOf(within(null)),
    facets: {
      tenant: facetOfCounts(within("tenant"), ({ tenant }) => tenant),
      environment: facetOfCounts(within("environment"), ({ environment }) => environment),
      matter: words
        .map((value) => ({ value, count: sumOf(within("matter"), (count) => isOf(count, value)) }))
        .filter(({ count }) => count > 0),
    },
  };
}

function isOf({ matters }: MatterCount, matter: Wanted["matter"]): boolean {
  if (matter === undefined) return true;
  if (matter === "any" || matter === "none") return matters.length > 0 === (matter === "any");
  return matters.includes(matter);
}

export function sumOf(counts: readonly MatterCount[], fits: (count: MatterCount) => boolean = () => true): number {
  return counts.reduce((sum, count) => (fits(count) ? sum + count.count : sum), 0);
}
