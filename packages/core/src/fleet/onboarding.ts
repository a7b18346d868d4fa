import type { InventoryRow } from "../inventory/row.ts";
import type { ObjectOwners, ScannedObject } from "../ports/index.ts";
import type { ClientPermissions } from "./permissions.ts";

/** What stands between an application of the inventory and a rotation of it, by what the directory shows of ownership. */
export const onboardingStates = {
  owned: "The writer owns it: with Application.ReadWrite.OwnedBy it may change its secrets.",
  "not-owned": "The writer does not own it, so nothing of ours can change it.",
  gone: "The directory has no such application.",
  "other-client-id":
    "The directory's application has another client id than the inventory says: find out which is meant.",
  "not-known": "Its owners were not read, and nothing is concluded.",
} as const;
export type OnboardingState = keyof typeof onboardingStates;

/** One application of the inventory. */
export interface Onboarded {
  readonly application: string;
  readonly objectId: string;
  readonly state: OnboardingState;
  /** What an administrator does about it, as a command and as a call to Graph; null: nothing, or not by ownership. */
  readonly grant: { readonly command: string; readonly call: string; readonly body: string } | null;
}

export interface OnboardingReport {
  /** What our clients hold of the permissions of the tenant, beside what they need. */
  readonly clients: readonly ClientPermissions[];
  readonly writer: {
    readonly clientId: string;
    /** Its service principal, which is what owns; null: the tenant has none. */
    readonly servicePrincipal: string | null;
  };
  readonly applications: readonly Onboarded[];
  /** Applications with a client secret in the directory, in the inventory or not, and how many of them the writer owns. */
  readonly directory: { readonly withSecret: number; readonly owned: number };
  /** What the writer owns and the inventory does not list: more than it needs. */
  readonly beyond: readonly { readonly objectId: string; readonly name: string }[];
}

/** Says of each Entra application of the inventory whether the writer may rotate it, and what is missing. */
export function onboardingReport(input: {
  readonly rows: readonly InventoryRow[];
  readonly writerClientId: string;
  readonly clients: readonly ClientPermissions[];
  readonly objects: readonly ScannedObject[];
  /** By object id; one that is missing was not read. */
  readonly owners: ReadonlyMap<string, ObjectOwners>;
}): OnboardingReport {
  const { owners } = input;
  const clientId = input.writerClientId.toLowerCase();
  const applications = input.objects.filter(({ kind }) => kind === "application");
  const byId = new Map(applications.map((one) => [one.objectId.toLowerCase(), one]));
  const servicePrincipal =
    input.objects.find(({ kind, appId }) => kind === "service-principal" && appId.toLowerCase() === clientId)
      ?.objectId ?? null;
  const isOwned = ({ objectId }: Pick<ScannedObject, "objectId">) =>
    servicePrincipal !== null && (owners.get(objectId)?.owners.some(({ id }) => id === servicePrincipal) ?? false);
  const stateOf = (objectId: string, appId: string): OnboardingState => {
    const found = byId.get(objectId.toLowerCase());
    if (found === undefined) return "gone";
    if (found.appId.toLowerCase() !== appId.toLowerCase()) return "other-client-id";
    if (!owners.has(found.objectId)) return "not-known";
    return isOwned(found) ? "owned" : "not-owned";
  };
  const listed = input.rows.flatMap((row): Onboarded[] => {
    if (row.procedure !== "entra-client-secret") return [];
    const { name: application, objectId, appId } = row;
    const state = stateOf(objectId, appId);
    const grant =
      state === "not-owned" && servicePrincipal !== null ? ownershipGrant(objectId, servicePrincipal) : null;
    return [{ application, objectId, state, grant }];
  });
  const listedIds = new Set(listed.map(({ objectId }) => objectId.toLowerCase()));
  const withSecret = applications.filter(({ credentials }) => credentials.some(({ kind }) => kind === "client-secret"));
  return {
    clients: input.clients,
    writer: { clientId, servicePrincipal },
    applications: listed,
    directory: { withSecret: withSecret.length, owned: withSecret.filter(isOwned).length },
    beyond: applications
      .filter((one) => isOwned(one) && !listedIds.has(one.objectId.toLowerCase()))
      .map(({ objectId, name }) => ({ objectId, name })),
  };
}

/** How an administrator makes a service principal an owner of an application. */
export function ownershipGrant(objectId: string, servicePrincipal: string): NonNullable<Onboarded["grant"]> {
  return {
    command: `az ad app owner add --id ${objectId} --owner-object-id ${servicePrincipal}`,
    call: `POST /v1.0/applications/${objectId}/owners/$ref`,
    body: `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/${servicePrincipal}"}`,
  };
}
