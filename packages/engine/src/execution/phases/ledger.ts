import type { RunWork } from "../run-work.ts";

/** What became of this run's credentials, as the ledger tells it. Ids only; repeating it changes nothing. */
export async function recordLedger(work: RunWork, what: "published" | "retired" | "rolled-back"): Promise<void> {
  const { plan } = work;
  const created = createdId(work);
  const target =
    plan.target.kind === "entra-application"
      ? { objectId: plan.target.objectId, appId: plan.target.appId }
      : { objectId: plan.target.systemIdentifier, appId: plan.target.database };
  const kind = plan.target.kind === "entra-application" ? ("client-secret" as const) : ("role" as const);
  const shared = {
    tenant: plan.tenant.name,
    ...target,
    application: plan.target.name,
    kind,
    startsAt: null,
    at: work.now,
  };
  const entries = [
    ...(created === null
      ? []
      : [
          {
            ...shared,
            id: created,
            run: work.id,
            expiresAt: null,
            state: "ours-active" as const,
            gone: what === "rolled-back" && kind !== "role",
          },
        ]),
    {
      ...shared,
      id: plan.old.id,
      run: null,
      expiresAt: plan.old.expiresAt === null ? null : Date.parse(plan.old.expiresAt),
      state: stateOfOld(what, plan.old.binding),
      gone: what === "retired" && kind !== "role",
    },
  ];
  for (const entry of entries) await work.store.credentialSet(entry);
}

function stateOfOld(what: "published" | "retired" | "rolled-back", binding: string) {
  if (binding !== "ours") return "foreign" as const;
  return what === "rolled-back" ? ("ours-active" as const) : ("ours-retiring" as const);
}

/** The id of the credential this run has made, if it still counts. */
function createdId(work: RunWork): string | null {
  const step = work.plan.steps.find((candidate) => work.verbOf(candidate).value === "yields");
  const ids = step === undefined ? undefined : work.outcomeOf(step.id)?.objectIds;
  const id = ids?.keyId ?? ids?.role;
  return typeof id === "string" ? id : null;
}
