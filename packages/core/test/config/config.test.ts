import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type Config, type ConnectionKinds, CountersignError, parseConfig } from "../../src/index.ts";
import { yamlBlocks } from "../documents/blocks.ts";

const base = { name: z.string(), environment: z.string(), prod: z.boolean(), tenant: z.string().optional() };
const kinds: ConnectionKinds = new Map<string, z.ZodType>([
  [
    "key-vault",
    z.strictObject({
      ...base,
      url: z.url(),
      audience: z.url(),
      client: z.strictObject({ clientId: z.string(), secret: z.string() }),
      names: z.array(z.string()),
    }),
  ],
  ["files", z.strictObject({ ...base, root: z.string(), paths: z.array(z.string()) })],
  [
    "postgres",
    z.strictObject({
      ...base,
      host: z.string(),
      port: z.int(),
      database: z.string(),
      user: z.string(),
      password: z.string(),
      tls: z.strictObject({ mode: z.string() }),
      roles: z.array(z.string()),
    }),
  ],
]);

const demo = `version: 1
profile: demo
network: { loopback: true }
clock: { url: "http://127.0.0.1:9001" }
api: { listen: "127.0.0.1:8080", url: "http://127.0.0.1:8080" }
tenants:
  - name: contoso
    id: 11111111-2222-4333-8444-555555555555
    authority: http://127.0.0.1:9001
    graph: http://127.0.0.1:9001
    reader: { clientId: 22222222-2222-4333-8444-555555555555, secret: file:reader.secret }
    writer: { clientId: 33333333-2222-4333-8444-555555555555, secret: env:WRITER }
connections:
  - { name: app-files, kind: files, environment: dev, prod: false, root: ./files, paths: ["billing/*.ref"] }
liveness: { leaseMs: 2000, beatMs: 200, freshMs: 1000, callDeadlineMs: 1000, settleMs: 1000 }
signIn:
  local:
    - { person: p_00000000000000aa, name: Ada, email: ada@example.com, iss: "https://demo.invalid", sub: ada, roles: [app-owner], password: file:ada.secret }
`;

const read = (text: string): Config => parseConfig(text, kinds);
const replaced = (from: string | RegExp, to: string) => {
  const text = demo.replace(from, to);
  if (text === demo) throw new Error(`nothing to replace: ${String(from)}`);
  return text;
};
function refusal(text: string): string {
  try {
    read(text);
  } catch (error) {
    if (error instanceof CountersignError && error.code === "CONFIG_INVALID") return error.message;
    throw error;
  }
  throw new Error("expected a refusal, got a configuration");
}

describe("the demo configuration", () => {
  it("is read with every default filled in", () => {
    const config = read(demo);
    expect(config.clock).toEqual({ url: "http://127.0.0.1:9001" });
    expect(config.database).toEqual({ embedded: true });
    expect(config.scan).toEqual({
      cron: "0 6 * * *",
      zone: "UTC",
      changesEverySeconds: 3_600,
      expiringDays: 30,
      lifetimeDaysMax: 365,
      quietDays: 90,
      failingHours: 24,
      failingMin: 3,
      acceptanceDaysMax: 180,
    });
    expect(config.budgets).toEqual({ effectsPerTenantMax: 8, runsInFlightMax: 64 });
    expect(config.connections[0]).toMatchObject({
      name: "app-files",
      kind: "files",
      tenant: null,
      scope: ["billing/*.ref"],
      settings: { root: "./files" },
    });
  });

  const mistakes: readonly (readonly [string, string | RegExp, string, string])[] = [
    [
      "an inline secret",
      "file:reader.secret",
      "hunter2-hunter2",
      "tenants[0].reader.secret: expected a secret reference",
    ],
    ["a reserved secret reference", "file:reader.secret", "keyvault:main/reader", "reserved"],
    ["a secret reference without a name", "env:WRITER", '"env:"', "expected a secret reference"],
    ["an unknown key", "version: 1", "version: 1\ntypo: 1", 'expected only known keys, got "typo"'],
    ["another version", "version: 1", "version: 2", "version: expected 1, got 2"],
    [
      "an unknown kind of connection",
      "kind: files",
      "kind: ftp",
      'connections[0].kind: expected key-vault | files | postgres, got "ftp"',
    ],
    ["a connection its kind refuses", "root: ./files", "root: 5", "connections[0].root: expected text, got 5"],
    [
      "a connection of a tenant that is not there",
      "kind: files",
      "kind: files, tenant: fabrikam",
      "connections[0].tenant: expected a tenant of this file",
    ],
    ["a scope of everything", '"billing/*.ref"', '"*"', "connections[0].paths[0]: expected a pattern"],
    ["a scope that climbs", '"billing/*.ref"', '"../*.ref"', "connections[0].paths[0]: expected a pattern"],
    [
      "a clock elsewhere",
      'clock: { url: "http://127.0.0.1:9001" }',
      'clock: { url: "https://clock.example.com" }',
      "clock.url: expected a loopback address",
    ],
    [
      "a real tenant under a virtual clock",
      "graph: http://127.0.0.1:9001",
      "graph: https://graph.microsoft.com",
      "tenants[0].graph: expected a loopback address while a virtual clock runs",
    ],
    [
      "http without the loopback switch",
      "network: { loopback: true }",
      "network: { loopback: false }",
      "expected https unless network.loopback is true",
    ],
    [
      "http to another host",
      "authority: http://127.0.0.1:9001",
      "authority: http://10.0.0.1",
      "http to a loopback address, got http to another host",
    ],
    [
      "a host that only looks like loopback",
      "authority: http://127.0.0.1:9001",
      "authority: http://127.0.0.1.example.com",
      "got http to another host",
    ],
    [
      "a password in an address",
      "authority: http://127.0.0.1:9001",
      "authority: http://u:p@127.0.0.1:9001",
      "without user",
    ],
    [
      "a lease that freshness outlives",
      "freshMs: 1000",
      "freshMs: 2000",
      "liveness.freshMs: expected less than leaseMs (2000), got 2000",
    ],
    [
      "a beat too slow",
      "beatMs: 200",
      "beatMs: 400",
      "liveness.beatMs: expected at most a third of freshMs (1000), got 400",
    ],
    [
      "a settle shorter than a call",
      "settleMs: 1000",
      "settleMs: 900",
      "liveness.settleMs: expected at least callDeadlineMs (1000), got 900",
    ],
    ["a person id that is a name", "p_00000000000000aa", "ada", "signIn.local[0].person: expected a person id"],
    [
      "an unknown zone",
      "liveness:",
      'scan: { cron: "0 6 * * *", zone: Mars/Olympus }\nliveness:',
      "scan.zone: expected an IANA time zone",
    ],
    [
      "a cron with seconds",
      "liveness:",
      'scan: { cron: "0 0 6 * * *", zone: UTC }\nliveness:',
      "scan.cron: expected a cron expression",
    ],
  ];
  it.each(mistakes)("refuses %s", (_name, from, to, why) => expect(refusal(replaced(from, to))).toContain(why));

  it("never repeats an inline secret or a database address", () => {
    expect(refusal(replaced("file:reader.secret", "hunter2-hunter2"))).not.toContain("hunter2");
    expect(refusal(`${demo}database: { url: "postgres://u:hunter2@db/x" }\n`)).not.toContain("hunter2");
  });

  it("refuses names, ids and people that stand twice", () => {
    const connection = /( {2}- \{ name: app-files.*\n)/;
    expect(refusal(replaced(connection, "$1$1"))).toContain("connections[1].name: expected a unique name");
    const person = /( {4}- \{ person: .*\n)/;
    expect(refusal(replaced(person, "$1$1"))).toContain("signIn.local[1].person: expected each person once");
  });

  it("lists all problems of one file at once", () => {
    const message = refusal(replaced("beatMs: 200", "beatMs: 400").replace("settleMs: 1000", "settleMs: 900"));
    expect(message.split("\n")).toHaveLength(2);
  });
});

describe("profile production", () => {
  const message = refusal(replaced("profile: demo", "profile: production"));
  it.each([
    "no virtual clock in profile production",
    "network.loopback: expected false",
    "signIn.local: expected no local sign-in",
    "api.url: expected https in profile production",
    "tenants[0].graph: expected https in profile production",
  ])("demands: %s", (why) => expect(message).toContain(why));
});

describe("docs/configuration.md", () => {
  const [example] = yamlBlocks(readFileSync(new URL("../../../../docs/configuration.md", import.meta.url), "utf8"));
  it("shows a file that is accepted", () => {
    const config = read(example ?? "");
    expect(config.profile).toBe("production");
    expect(config.connections.map((connection) => connection.scope)).toEqual([
      ["billing-*"],
      ["billing/*.ref"],
      ["orders_*"],
    ]);
  });
});
