import { afterEach, describe, expect, it } from "vitest";
import { clean, conformance, type Lacks, type Stage } from "../src/kit/conformance.ts";
import { pathProblem, textAt } from "../src/rest/json-path.ts";
import { partsOf, render, renderJson } from "../src/rest/template.ts";
import { connectionKinds } from "../src/settings.ts";
import { described, type Outsides, type OutsidesOptions, openOutsides } from "./outsides.ts";

const id = "rest.write@1";
let opened: Outsides | null = null;
afterEach(async () => {
  await opened?.close();
  opened = null;
});
async function open(options: OutsidesOptions = {}) {
  opened = await openOutsides(options);
  return opened;
}
type Which = "readable" | "blind";
const entryOf = (tenant: Outsides, which: Which) => {
  const found = tenant.gateway(which).entries.find(({ name }) => name === "billing-main");
  if (found === undefined) throw new Error("expected the entry");
  return found;
};

const stage = (which: Which, rest: Record<string, unknown>) => async (): Promise<Stage<Record<string, unknown>>> => {
  const tenant = await openOutsides({ rest });
  return {
    verb: tenant.verb(id),
    params: tenant.params[which],
    context: (attempt, direction = "do", past = []) => tenant.context({ attempt, direction, past }),
    seen: () => Promise.resolve(entryOf(tenant, which).value),
    neighbours: () =>
      Promise.resolve(JSON.stringify(tenant.gateway(which).entries.filter(({ name }) => name === "other"))),
    effects: () => Promise.resolve(tenant.effects("gatewayEntry.put") + tenant.effects("gatewayEntry.rotate")),
    loseNextAnswer: () =>
      void tenant.arm(
        (rest.write as { method?: string } | undefined)?.method === "POST" ? "gatewayEntry.rotate" : "gatewayEntry.put",
        "reset",
      ),
    otherWriter: async () => void Object.assign(entryOf(tenant, which), { value: "theirs", version: "theirs" }),
    mayRepeat: (rest.write as { retry?: string } | undefined)?.retry !== "once",
    secrets: () => tenant.secrets(),
    close: () => tenant.close(),
  };
};

const once = { ...described.write, method: "POST", path: "/v1/credentials/{entry}/rotations", retry: "once" };
const cannotRead = "the connection describes no way to read the value: the same one is written again";
const cannotCompare =
  "the connection describes no way to read the value: what another writer left cannot be told from the old one";
const suites: [string, Which, Record<string, unknown>, Lacks][] = [
  ["read back", "readable", {}, {}],
  ["read back, and the write may happen once only", "readable", { write: once }, {}],
  ["only the version is read back", "blind", { read: described.version }, { otherWriter: cannotCompare }],
  [
    "only the version is read back, and the write may happen once only",
    "blind",
    { read: described.version, write: once },
    { otherWriter: cannotCompare },
  ],
  [
    "its own mark of the last write",
    "blind",
    { read: { path: "/v1/credentials/{entry}", changed: "$.state[0].writes" } },
    { otherWriter: cannotCompare, twice: cannotRead, undoTwice: cannotRead },
  ],
  ["nothing is read back", "blind", {}, { otherWriter: cannotCompare, twice: cannotRead, undoTwice: cannotRead }],
];
describe.each(suites)("rest.write@1, %s", (_what, which, rest, lacks) => {
  it.each(conformance(stage(which, rest), lacks))("$name", (check) => check.run());
});

describe("rest.write@1, what the connection does not describe", () => {
  it("without reading back it is accepted and no more", async () => {
    const tenant = await open();
    const verb = tenant.verb(id);
    const done = await verb.do(tenant.context(), tenant.params.blind);
    expect(await verb.verify?.(tenant.context(), tenant.params.blind, done)).toMatchObject({
      level: "accepted",
      facts: { readBack: "not-described" },
    });
  });

  it("a write that may happen once, without reading back: nobody can tell, so nothing is repeated", async () => {
    const tenant = await open({ rest: { write: once } });
    const verb = tenant.verb(id);
    tenant.arm("gatewayEntry.rotate", "504");
    await expect(verb.do(tenant.context(), tenant.params.blind)).rejects.toMatchObject({ code: "OUTSIDE_UNKNOWN" });
    expect(tenant.effects("gatewayEntry.rotate")).toBe(1);
    expect(await verb.reconcile?.(tenant.context(), tenant.params.blind)).toMatchObject({ kind: "unknown" });
    const past = [
      {
        attempt: 1,
        nonce: "",
        direction: "undo",
        intent: {},
        outcome: "failed",
        objectIds: {},
        facts: { reconciled: "repeat" },
        intentAt: 0,
      },
    ] as const;
    await expect(
      verb.undo?.(tenant.context({ attempt: 2, direction: "undo", past }), tenant.params.blind, {
        objectIds: {},
        facts: {},
        requestIds: [],
      }),
    ).rejects.toMatchObject({ code: "UNDO_IMPOSSIBLE" });
    expect(tenant.effects("gatewayEntry.rotate")).toBe(1);
  });

  it("an idempotent write without reading back may be repeated", async () => {
    const tenant = await open();
    expect(await tenant.verb(id).reconcile?.(tenant.context(), tenant.params.blind)).toEqual({ kind: "repeat" });
  });

  it("waits until the declared condition holds", async () => {
    const verify = { path: "/v1/credentials/{entry}", expect: [{ at: "$.state[0].version", equals: "{version}" }] };
    const tenant = await open({ rest: { verify } });
    const verb = tenant.verb(id);
    const done = await verb.do(tenant.context(), tenant.params.blind);
    expect(await verb.verify?.(tenant.context(), tenant.params.blind, done)).toMatchObject({ kind: "verified" });
    entryOf(tenant, "blind").version = "not yet";
    expect(await verb.verify?.(tenant.context(), tenant.params.blind, done)).toMatchObject({ kind: "not-yet" });
  });

  it("without identity it is known by name only; with one another entry of the name is another one", async () => {
    const named = await open({ rest: { identity: undefined } });
    expect(Object.keys(await named.verb(id).identify(named.context(), named.params.blind)).sort()).toEqual([
      "entry",
      "host",
    ]);
    await named.close();
    const tenant = await open();
    const before = await tenant.verb(id).identify(tenant.context(), tenant.params.blind);
    entryOf(tenant, "blind").id = "another";
    expect(await tenant.verb(id).identify(tenant.context(), tenant.params.blind)).not.toEqual(before);
  });

  it("an identity without the fact that it names is none", async () => {
    const tenant = await open({ rest: { identity: { ...described.identity, facts: { id: "$.not.there" } } } });
    await expect(tenant.verb(id).identify(tenant.context(), tenant.params.blind)).rejects.toMatchObject({
      code: "OUTSIDE_MALFORMED",
    });
  });

  it("refuses an entry outside the scope, and sends nothing", async () => {
    const tenant = await open();
    await expect(
      tenant.verb(id).do(tenant.context(), { ...tenant.params.blind, entry: "other" }),
    ).rejects.toMatchObject({ code: "SCOPE_REFUSED" });
    expect(tenant.effects("gatewayEntry.put")).toBe(0);
  });

  it.each(["malformed", "truncated", "hostile", "wrong-types", "oversized"] as const)(
    "a %s answer never passes for the identity that was approved, and no secret stands in the error",
    async (kind) => {
      const tenant = await open();
      const before = await tenant.verb(id).identify(tenant.context(), tenant.params.readable);
      tenant.arm("gatewayEntry.get", kind, "after-effect", 99);
      const answer = await tenant
        .verb(id)
        .identify(tenant.context(), tenant.params.readable)
        .catch((caught: unknown) => caught);
      expect(answer).not.toEqual(before);
      // What has the right form and says something else is another identity: the executor refuses it.
      const refused = answer instanceof Error ? answer : { code: "OUTSIDE_MALFORMED" };
      expect(refused).toMatchObject({ code: expect.stringMatching(/^OUTSIDE_(MALFORMED|UNAVAILABLE)$/) as string });
      clean({ secrets: tenant.secrets }, answer, String((answer as Error).stack));
    },
  );
});

describe("templates", () => {
  it.each(["{", "}", "{value", "{ value }", "{Value}", "{process}", "{entry.constructor}", "{{{", "a{b}", "${value}{"])(
    "%s is refused",
    (text) => expect(partsOf(text, ["entry", "value"])).toBeTypeOf("string"),
  );
  it("doubled braces are braces, and nothing is put in twice", () => {
    const values = { entry: "{value}", run: "r", version: "v", value: "{entry}" };
    expect(render("{{{entry}}} {{run}} {value}", values)).toBe("{{value}} {run} {entry}");
  });
  it("no value breaks out of a JSON body", () => {
    const value = '"},{"admin":true,"x":"\\u0000\n';
    const made = renderJson(
      { a: ["x {value}", 1, null, true], b: { "{value}": "{entry}" } },
      { entry: "e", run: "", version: "", value },
    );
    expect(JSON.parse(JSON.stringify(made))).toEqual({ a: [`x ${value}`, 1, null, true], b: { "{value}": "e" } });
  });
});

describe("JSONPath", () => {
  it.each([
    "",
    "$[",
    "version",
    "$..version",
    "$.a[?match(@.b, '(a+)+$')]",
    "$.a[?search(@.b,'x')]",
    "$[?@[?@.a]]",
    `$.${"a".repeat(300)}`,
    "$.a;$.b",
    "$[?(@.constructor())]",
  ])("%s is refused", (path) => expect(pathProblem(path)).toBeTypeOf("string"));
  it.each(["$", "$.a", "$['a b'][0].c", "$.items[?@.name=='x'].version", "$.a[-1]"])("%s is read", (path) =>
    expect(pathProblem(path)).toBeNull(),
  );
  it("finds one text, number or truth value, and nothing else", () => {
    const body = { a: "x", n: 7, t: true, o: {}, z: null, l: ["p", "q"], items: [{ name: "x", version: "3" }] };
    const read = (path: string) => textAt(body, path);
    expect([read("$.a"), read("$.n"), read("$.t"), read("$.items[?@.name=='x'].version")]).toEqual([
      "x",
      "7",
      "true",
      "3",
    ]);
    expect([
      read("$.o"),
      read("$.z"),
      read("$.l[*]"),
      read("$.none"),
      read("$.__proto__"),
      read("$.constructor"),
    ]).toEqual([null, null, null, null, null, null]);
  });
});

describe("a rest connection", () => {
  const schema = connectionKinds.get("rest");
  const base = {
    name: "partner",
    environment: "dev",
    prod: false,
    url: "https://partner.example",
    names: ["billing-*"],
    write: described.write,
  };
  const write = (over: object) => ({ write: { ...described.write, ...over } });
  it("as described is read", () =>
    expect(schema?.safeParse({ ...base, read: described.read, identity: described.identity }).success).toBe(true));
  it.each([
    ["another method", write({ method: "DELETE" })],
    ["GET as a write", write({ method: "GET" })],
    ["no word on repeating", write({ retry: undefined })],
    ["safe as a word on a write", write({ retry: "safe" })],
    ["no value in the body", write({ body: { a: "b" } })],
    ["the value in the path", write({ path: "/v1/{value}" })],
    ["the value in the query", write({ query: { a: "{value}" } })],
    ["the value in a header", write({ headers: { "x-a": "{value}" } })],
    ["a header of ours", write({ headers: { Host: "elsewhere" } })],
    ["a header with a line break", write({ headers: { "x-a": "a\r\nx-b: c" } })],
    ["another host in the path", write({ path: "//elsewhere.example/x" })],
    ["an address as the path", write({ path: "https://elsewhere.example/x" })],
    ["a path that climbs", write({ path: "/v1/../admin" })],
    ["an encoded path", write({ path: "/v1/%2e%2e/admin" })],
    ["a query in the path", write({ path: "/v1?x=1" })],
    ["a backslash in the path", write({ path: "/v1\\x" })],
    ["an unknown placeholder", write({ path: "/v1/{env}" })],
    ["a redirect as success", write({ status: [302] })],
    ["nothing to read", { read: { path: "/v1/x" } }],
    ["a program as a path", { read: { path: "/v1/x", value: "$[?(@.length-1)]" } }],
    ["an unknown key", { script: "x" }],
    ["an inline secret", { auth: { bearer: "abc" } }],
  ])("with %s is refused", (_what, over) => expect(schema?.safeParse({ ...base, ...over }).success).toBe(false));
});
