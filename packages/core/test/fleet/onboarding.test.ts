import { describe, expect, it } from "vitest";
import { type InventoryRow, type ObjectOwners, onboardingReport, type ScannedObject } from "../../src/index.ts";

const id = (n: number) => `8f1c5a52-0000-4000-8000-00000000000${n}`;
const writer = { clientId: id(8), servicePrincipal: id(9) };
const object = (n: number, change: Partial<ScannedObject> = {}): ScannedObject => ({
  kind: "application",
  objectId: id(n),
  appId: `client-${n}`,
  name: `app-${n}`,
  createdAt: 0,
  audience: "AzureADMyOrg",
  disabled: false,
  serviceRef: null,
  credentials: [{ id: `k${n}`, kind: "client-secret", startsAt: 0, expiresAt: 1, marker: null }],
  ...change,
});
const principal = object(9, { kind: "service-principal", appId: writer.clientId.toUpperCase(), credentials: [] });
const owned = (n: number, ...by: string[]): [string, ObjectOwners] => [
  id(n),
  { objectId: id(n), owners: by.map((one) => ({ id: one, kind: "service-principal", name: null, enabled: null })) },
];
const row = (n: number, change: object = {}) =>
  ({
    name: `row-${n}`,
    procedure: "entra-client-secret",
    objectId: id(n),
    appId: `client-${n}`,
    ...change,
  }) as InventoryRow;
const report = (
  rows: readonly InventoryRow[],
  objects: readonly ScannedObject[],
  ...owners: [string, ObjectOwners][]
) => onboardingReport({ rows, writerClientId: writer.clientId, clients: [], objects, owners: new Map(owners) });
const states = (of: ReturnType<typeof report>) => of.applications.map(({ state }) => state);

describe("the onboarding report", () => {
  it("says of each application whether the writer owns it, and the exact words that grant what is missing", () => {
    const found = report(
      [row(1), row(2)],
      [object(1), object(2), principal],
      owned(1, writer.servicePrincipal),
      owned(2, id(7)),
    );
    expect(states(found)).toEqual(["owned", "not-owned"]);
    expect(found.applications.map(({ grant }) => grant)).toEqual([
      null,
      {
        command: `az ad app owner add --id ${id(2)} --owner-object-id ${id(9)}`,
        call: `POST /v1.0/applications/${id(2)}/owners/$ref`,
        body: `{"@odata.id":"https://graph.microsoft.com/v1.0/directoryObjects/${id(9)}"}`,
      },
    ]);
    expect(found.directory).toEqual({ withSecret: 2, owned: 1 });
  });

  it("concludes nothing from what was not read, and offers no grant for what is gone or another", () => {
    const rows = [row(1), row(2), row(3, { appId: "client-4" })];
    const found = report(rows, [object(1), object(3), principal], owned(3, writer.servicePrincipal));
    expect(states(found)).toEqual(["not-known", "gone", "other-client-id"]);
    expect(found.applications.every(({ grant }) => grant === null)).toBe(true);
  });

  it("knows no owner while the writer has no service principal in the tenant: its application is not what owns", () => {
    const found = report([row(1)], [object(1), object(8, { appId: writer.clientId })], owned(1, id(8)));
    expect([found.writer.servicePrincipal, states(found), found.directory.owned]).toEqual([null, ["not-owned"], 0]);
  });

  it("names what the writer owns and the inventory does not list", () => {
    const found = report([], [object(1), object(2), principal], owned(1, writer.servicePrincipal), owned(2));
    expect(found.beyond).toEqual([{ objectId: id(1), name: "app-1" }]);
  });
});
