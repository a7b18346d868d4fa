import type { GrantedPermission } from "../ports/index.ts";

/** What each of our clients needs of a tenant (README, "least privileges"), and which broader permissions hold it, too. */
const needed = {
  reader: {
    "Application.Read.All": ["Application.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"],
    "AuditLog.Read.All": [],
    "Policy.Read.All": [],
  },
  writer: { "Application.ReadWrite.OwnedBy": ["Application.ReadWrite.All", "Directory.ReadWrite.All"] },
} as const satisfies Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
export type ClientRole = keyof typeof needed;

/** What one of our clients holds beside what it needs. */
export interface ClientPermissions {
  readonly client: ClientRole;
  readonly clientId: string;
  /** As their APIs name them, the directory's own first by name, others as `API: name`; null: not to be read. */
  readonly granted: readonly string[] | null;
  /** Needed and held neither by itself nor by a broader one. */
  readonly missing: readonly string[];
  /** Held and not needed, and more than reading: with it a stolen secret of this client does more than a rotation. */
  readonly excessive: readonly string[];
}

/** Client id of Microsoft Graph in every tenant; its name may be that of another API, too. */
const graphAppId = "00000003-0000-0000-c000-000000000000";
const isGraph = ({ resourceAppId }: GrantedPermission) => resourceAppId === graphAppId;
/** A permission that only reads says so in its second part (`Application.Read.All`, `User.ReadBasic.All`). */
const onlyReads = /^[^.]+\.Read(?:Basic)?(?:\.|$)/;

/** Sets what a client of a tenant holds beside what it needs there. Null: not to be read, and nothing is concluded. */
export function clientPermissions(
  client: ClientRole,
  clientId: string,
  found: readonly GrantedPermission[] | null,
): ClientPermissions {
  if (found === null) return { client, clientId, granted: null, missing: [], excessive: [] };
  const held = new Set(found.filter(isGraph).map(({ permission }) => permission));
  const wants: Readonly<Record<string, readonly string[]>> = needed[client];
  const nameOf = (one: GrantedPermission) => (isGraph(one) ? one.permission : `${one.resource}: ${one.permission}`);
  const isNeeded = (one: GrantedPermission) => isGraph(one) && Object.hasOwn(wants, one.permission);
  return {
    client,
    clientId,
    granted: found.map(nameOf).toSorted(),
    missing: Object.entries(wants).flatMap(([permission, broader]) =>
      held.has(permission) || broader.some((other) => held.has(other)) ? [] : [permission],
    ),
    excessive: found
      .filter((one) => !isNeeded(one) && !onlyReads.test(one.permission))
      .map(nameOf)
      .toSorted(),
  };
}
