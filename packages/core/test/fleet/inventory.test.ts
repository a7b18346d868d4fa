import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareInventory,
  type DraftInput,
  declarationOf,
  declaredBy,
  draftInventory,
  type EntraRow,
  inventoryText,
  type ObjectOwners,
  parseInventory,
  type ScannedObject,
} from "../../src/index.ts";

const strict = { seconds: false };
const id = (n: number) => `8f1c5a52-0000-4000-8000-${String(n).padStart(12, "0")}`;
function application(
  n: number,
  name: string,
  kinds: ("client-secret" | "certificate")[] = ["client-secret"],
): ScannedObject {
  return {
    kind: "application",
    objectId: id(n),
    appId: id(n + 1_000),
    name,
    createdAt: null,
    audience: null,
    disabled: false,
    serviceRef: null,
    credentials: kinds.map((kind, at) => ({
      id: id(n * 10_000 + at),
      kind,
      startsAt: null,
      expiresAt: null,
      marker: null,
    })),
  };
}
const owned = (objectId: string, ...owners: ObjectOwners["owners"]): [string, ObjectOwners] => [
  objectId,
  { objectId, owners },
];
const ada = { id: id(7), kind: "user", name: "ada@contoso.example", enabled: true } as const;
const bob = { id: id(8), kind: "user", name: "bob@contoso.example", enabled: false } as const;
const input: DraftInput = {
  tenant: "contoso",
  objects: [
    application(1, "Billing API (prod)"),
    application(2, "Reports"),
    application(3, "only-cert", ["certificate"]),
    application(99, "our own writer"),
  ],
  owners: new Map([owned(id(1), ada, bob), owned(id(2))]),
  known: { objectIds: new Set(), names: new Set() },
  ours: new Set([id(1_099)]),
  entries: [
    { connection: "billing-vault", name: "billing-secret", tags: { application: id(1_001).toUpperCase() } },
    { connection: "billing-vault", name: "reports-copy", tags: {} },
  ],
  callers: new Map([[id(1_001), [{ address: "192.0.2.7", lastAt: Date.parse("2026-11-20T10:00:00Z") }]]]),
  rules: [{ pattern: "*(prod)", environment: "prod" }],
  people: new Map([
    ["ada@contoso.example", "p_00000000000000aa"],
    ["bob@contoso.example", "p_00000000000000bb"],
  ]),
};

describe("a drafted inventory", () => {
  const draft = draftInventory(input);
  const yaml = inventoryText(draft.rows, { form: "yaml" });

  it("has one entry for each application with a secret, none of them enabled", () => {
    const read = parseInventory(yaml, strict);
    expect(read.rows).toEqual([]);
    expect(read.proposed.map(({ name }) => name)).toEqual(["billing-api-prod", "reports"]);
    expect(draft.withoutSecret).toBe(1);
  });

  it("guesses only by a rule, a tag or a mail address, and says so beside the guess", () => {
    expect(yaml).toContain("environment: prod # guess: your rule *(prod)=prod");
    expect(yaml).toMatch(
      /owners: \[ ?p_00000000000000aa ?\] # guess: enrolled under the mail address of a directory owner/,
    );
    expect(yaml).toMatch(
      /record: \{ connection: billing-vault, name: billing-secret \} # guess: its tag application points at/,
    );
    expect(yaml).toContain("# Perhaps its record or a copy: billing-vault/reports-copy (name)");
    expect(yaml).toContain("# A consumer: signs in from 192.0.2.7, last on 2026-11-20");
    const { proposed } = parseInventory(yaml, strict);
    expect(proposed[1]).toEqual({
      status: "proposed",
      name: "reports",
      procedure: "entra-client-secret",
      tenant: "contoso",
      objectId: id(2),
      appId: id(1_002),
    });
  });

  it("an owner who is disabled is named as such and never guessed to answer for anything", () => {
    expect(yaml).toContain("# Owners: ada@contoso.example (user); bob@contoso.example (user, disabled)");
    expect(yaml).not.toContain("p_00000000000000bb");
  });

  it("as CSV has the same rows, and what is said of them as a note", () => {
    const csv = { form: "csv", delimiter: "," } as const;
    const read = parseInventory(inventoryText(draft.rows, csv), strict, csv);
    expect(read.proposed.map(({ note: _, ...row }) => row)).toEqual(parseInventory(yaml, strict).proposed);
    expect(read.proposed[0]?.note).toContain("environment: guess: your rule");
  });

  it("what was not read is said to be not read; nothing is concluded from it", () => {
    const blind = draftInventory({ ...input, owners: new Map(), entries: null, callers: null });
    const text = inventoryText(blind.rows, { form: "yaml" });
    for (const says of ["Owners: not read.", "Vault entries: not read.", "Sign-ins: not read."])
      expect(text).toContain(says);
    expect(text).not.toContain("record:");
  });

  it("leaves out what is known, and gives no name twice", () => {
    const twins = { ...input, objects: [application(1, "Same"), application(2, "same"), application(4, "same")] };
    const known = { objectIds: new Set([id(4)]), names: new Set(["same"]) };
    const made = draftInventory({ ...twins, known });
    expect(made.rows.map(({ row }) => row.name)).toEqual(["same-2", "same-3"]);
    expect(made.known).toBe(1);
  });

  it("whatever an application is called, the draft can be read, in both forms", () => {
    const name = fc.string({ unit: "binary", maxLength: 256 });
    const owner = fc.string({ unit: "grapheme", maxLength: 300 });
    fc.assert(
      fc.property(name, owner, (called, mail) => {
        const one = {
          ...input,
          objects: [application(1, called)],
          owners: new Map([owned(id(1), { ...ada, name: mail })]),
        };
        const { rows } = draftInventory(one);
        for (const format of [{ form: "yaml" }, { form: "csv", delimiter: ";" }] as const)
          expect(parseInventory(inventoryText(rows, format), strict, format).proposed).toHaveLength(1);
      }),
      { numRuns: 30 },
    );
  });
});

describe("an inventory beside its directory", () => {
  const text = `apiVersion: countersign/inventory/v1
applications:
  - name: billing-api
    procedure: entra-client-secret
    environment: prod
    tenant: contoso
    objectId: ${id(1)}
    appId: ${id(1_001)}
    owners: [p_00000000000000aa, p_00000000000000bb]
    record: { connection: billing-vault, name: other }
    consumers:
      - { kind: latest, name: web, environment: prod, pickup: PT1H, cadence: PT1H, callers: ["192.0.2.8"] }
  - { name: gone, procedure: entra-client-secret, environment: dev, tenant: contoso, objectId: ${id(50)}, appId: ${id(51)}, owners: [], record: { connection: v, name: g }, consumers: [] }
  - { name: elsewhere, procedure: entra-client-secret, environment: dev, tenant: fabrikam, objectId: ${id(60)}, appId: ${id(61)}, owners: [], record: { connection: v, name: e }, consumers: [] }
  - { name: swapped, procedure: entra-client-secret, environment: dev, tenant: contoso, objectId: ${id(4)}, appId: ${id(62)}, owners: [], record: { connection: v, name: s }, consumers: [] }
  - { name: later, status: proposed, objectId: ${id(5)} }
`;
  const inventory = parseInventory(text, strict);
  const compared = (more: Partial<DraftInput> = {}) => {
    const mails = new Map([...input.people].map(([mail, person]) => [person, mail]));
    return compareInventory({ ...input, inventory, mails, ...more }).map(
      ({ application: of, code, mend, observed }) => [of, code, mend, observed] as const,
    );
  };

  it("says both ways what is listed and gone, and what is there and not listed", () => {
    const objects = [...input.objects, application(4, "swapped"), application(5, "later")];
    const said = compared({ objects, entries: null, callers: null });
    expect(said).toContainEqual(["gone", "gone", true, id(50)]);
    expect(said).toContainEqual(["swapped", "other-application", true, id(1_004)]);
    expect(said).toContainEqual(["Reports", "not-listed", false, id(2)]);
    expect(said).toContainEqual(["later", "still-proposed", false, "proposed"]);
    // Of the other tenant nothing was read, of certificates nothing is rotated, and what is proposed is known.
    for (const name of ["elsewhere", "only-cert", "our own writer"]) expect(said.map(([of]) => of)).not.toContain(name);
    expect(said.filter(([, code]) => code === "not-listed")).toHaveLength(1);
  });

  it("names an owner who is disabled, and an application that nobody enabled owns any more", () => {
    expect(compared()).toContainEqual(["billing-api", "owner-disabled", true, "p_00000000000000bb"]);
    expect(compared().map(([, code]) => code)).not.toContain("nobody-enabled");
    const left = compared({ owners: new Map([owned(id(1), bob)]) });
    expect(left).toContainEqual(["billing-api", "nobody-enabled", true, "1 owners in the directory"]);
  });

  it("names whoever else is listed and disabled, and owners of a credential that is gone", () => {
    const more = `
    businessOwners: [p_00000000000000bb]
    credentialOwners:
      ${id(10_000)}: [p_00000000000000aa]
      ${id(10_009)}: [p_00000000000000aa]`;
    const listed = parseInventory(
      text.replace(/\n {4}owners: \[.*\]/, `\n    owners: [p_00000000000000aa]${more}`),
      strict,
    );
    const mails = new Map([...input.people].map(([mail, person]) => [person, mail]));
    const said = compareInventory({ ...input, inventory: listed, mails }).filter(
      ({ application: of }) => of === "billing-api",
    );
    expect(said.map(({ code, mend, observed }) => [code, mend, observed])).toEqual(
      expect.arrayContaining([
        ["owner-disabled", true, "p_00000000000000bb"],
        ["owned-credential-gone", false, id(10_009)],
      ]),
    );
    expect(said.filter(({ code }) => code === "owned-credential-gone")).toHaveLength(1);
  });

  it("sets what was found beside what is declared", () => {
    expect(compared()).toContainEqual([
      "billing-api",
      "not-declared",
      true,
      "billing-vault/billing-secret (tag application)",
    ]);
    expect(compared()).toContainEqual(["billing-api", "not-declared", true, "signs in from 192.0.2.7"]);
    const declared = parseInventory(
      text.replace("name: other", "name: billing-secret").replace("192.0.2.8", "192.0.2.7"),
      strict,
    );
    const said = compareInventory({ ...input, inventory: declared, mails: new Map() });
    expect(said.filter(({ code }) => code === "not-declared")).toEqual([]);
  });
});

describe("the line that declares what was found", () => {
  const head = `apiVersion: countersign/inventory/v1
applications:
  - name: billing
    procedure: entra-client-secret
    environment: prod
    tenant: contoso
    objectId: ${id(1)}
    appId: ${id(1_001)}
    owners: []
    record: { connection: billing-vault, name: billing-secret }
    consumers:
      - { kind: latest, name: web, environment: prod, pickup: PT1H, cadence: P1D }
`;
  const found = fc.oneof(
    fc.oneof(fc.ipV4(), fc.ipV6()).map((address) => ({ address, lastAt: 0 })),
    fc
      .stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,126}$/)
      .filter((name) => name.toLowerCase() !== "billing-secret")
      .map((name) => ({ connection: "other-vault", name, because: "name" })),
  );

  it("is a consumer of its row, with which what was found is declared", () => {
    const row = parseInventory(head, strict).rows[0] as EntraRow;
    fc.assert(
      fc.property(found, (one) => {
        const text = `${head}      ${declarationOf(row, one)}\n`;
        const declared = declaredBy(parseInventory(text, strict).rows[0] as EntraRow);
        expect(declared).toContain("address" in one ? one.address : `other-vault/${one.name.toLowerCase()}`);
      }),
    );
  });
});
