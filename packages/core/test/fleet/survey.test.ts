import { describe, expect, it } from "vitest";
import {
  type LastUse,
  type ObjectOwners,
  type ScannedCredential,
  type ScannedObject,
  survey,
} from "../../src/index.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 10, 22);
const limits = { expiresWithinDays: 30, quietDays: 90, lifetimeDaysMax: 180 };

function secret(
  id: string,
  fromDays: number,
  toDays: number,
  change: Partial<ScannedCredential> = {},
): ScannedCredential {
  return {
    id,
    kind: "client-secret",
    startsAt: now + fromDays * day,
    expiresAt: now + toDays * day,
    marker: null,
    ...change,
  };
}

function application(
  objectId: string,
  credentials: ScannedCredential[],
  change: Partial<ScannedObject> = {},
): ScannedObject {
  return {
    kind: "application",
    objectId,
    appId: `app-${objectId}`,
    name: objectId,
    createdAt: now,
    audience: null,
    disabled: false,
    serviceRef: null,
    credentials,
    ...change,
  };
}

type Owner = ObjectOwners["owners"][number];
const owner = (id: string, enabled: boolean | null = true): Owner => ({ id, kind: "user", name: id, enabled });

function of(
  objects: ScannedObject[],
  owners: Record<string, Owner[]>,
  uses: Record<string, number | null> | null = {},
) {
  const used =
    uses === null
      ? null
      : new Map<string, LastUse>(Object.entries(uses).map(([id, lastUsedAt]) => [id, { id, lastUsedAt }]));
  const owned = new Map(Object.entries(owners).map(([objectId, list]) => [objectId, { objectId, owners: list }]));
  return survey({ objects, owners: owned, uses: used, now, limits });
}

const two = [owner("ada"), owner("ben")];

describe("a survey of a tenant", () => {
  it("says what has expired, what expires soon, what lives too long and what nobody has used", () => {
    const seen = of(
      [
        application("a", [
          secret("over", -200, -1),
          secret("soon", -60, 30),
          secret("long", -10, 300),
          secret("idle", -100, 60),
          secret("fine", -100, 79),
        ]),
      ],
      { a: two },
      { idle: now - 91 * day, fine: now - day, soon: now - day, long: now - day },
    );
    expect(Object.fromEntries(seen.rows.map(({ credential, codes }) => [credential.id, codes]))).toEqual({
      over: ["expired", "long-lived"],
      soon: ["expiring", "several-live"],
      idle: ["unused", "several-live"],
      long: ["long-lived", "several-live"],
      fine: ["several-live"],
    });
    expect(seen.rows.map(({ credential }) => credential.id)).toEqual(["over", "soon", "idle", "long", "fine"]);
  });

  it("says who owns it: nobody, one person, or only people who are disabled", () => {
    const one = (id: string) => application(id, [secret(`${id}-key`, -1, 60)]);
    const seen = of([one("none"), one("one"), one("left"), one("well"), one("unread")], {
      none: [],
      one: [owner("ada")],
      left: [owner("ada", false), owner("ben", false)],
      well: [owner("ada", false), owner("ben", null)],
    });
    expect(seen.rows.map(({ object, codes }) => [object.objectId, codes])).toEqual([
      ["none", ["ownerless"]],
      ["left", ["owner-disabled"]],
      ["one", ["single-owner"]],
    ]);
  });

  it("calls nothing unused when there is no report, and nothing that is young", () => {
    const objects = [application("a", [secret("old", -100, 60), secret("young", -89, 60)])];
    expect(of(objects, { a: two }, null)).toMatchObject({ counts: { unused: null }, rows: [] });
    expect(of(objects, { a: two }, {}).rows.map(({ credential }) => credential.id)).toEqual(["old"]);
  });

  it("knows a credential without end, and says nothing of owners of a service principal", () => {
    const certificate = secret("endless", -1, 0, { kind: "certificate", expiresAt: null });
    const seen = of([application("sp", [certificate], { kind: "service-principal" })], { sp: [] });
    expect(seen).toMatchObject({ applications: 0, servicePrincipals: 1, secrets: 0, certificates: 1, rows: [] });
  });
});
