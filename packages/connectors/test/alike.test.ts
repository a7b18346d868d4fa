import { CountersignError } from "@countersign/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { armOf } from "../../../tests/faults/cells.ts";
import {
  connectKinds,
  type FaultKind,
  isSlow,
  kindsOf,
  patientMs,
  statementKinds,
} from "../../../tests/faults/kinds.ts";
import { readGraphError } from "../src/entra/graph.ts";
import { Budget } from "../src/kit/budget.ts";
import { createHttp, type Http } from "../src/kit/http.ts";
import { serverError } from "../src/postgres/server.ts";
import { jumpingClock, type OpenTenant, openTenant } from "./support.ts";

/** The matrix of faults (docs/faults.md) tries one of the kinds that nobody can tell apart: here they are all tried. */
const callDeadlineMs = 200;
/** One that may be made again is made so often at most: as often as needed to see whether it is. */
const attemptsMax = 2;

let tenant: OpenTenant;
/** Where the deadline is to pass, and where nothing is slow on purpose: there a busy machine adds no faults of its own. */
let hasty: Http;
let patient: Http;
let token: string;

beforeAll(async () => {
  tenant = await openTenant();
  const httpOf = (ms: number) =>
    createHttp({ ca: [], proxy: null, loopback: true, callDeadlineMs: ms, version: "1.2.3" });
  hasty = httpOf(callDeadlineMs);
  patient = httpOf(patientMs);
  const [writer] = tenant.sim.world.tenant.callers.filter(({ name }) => name === "writer");
  const body = new URLSearchParams({
    client_id: writer?.appId ?? "",
    client_secret: writer?.secret ?? "",
    grant_type: "client_credentials",
    scope: "https://graph.microsoft.com/.default",
  });
  const url = `${tenant.sim.urls.authority}/${tenant.sim.tenantId}/oauth2/v2.0/token`;
  token = ((await (await fetch(url, { method: "POST", body })).json()) as { access_token: string }).access_token;
});

afterAll(async () => {
  await Promise.all([hasty.close(), patient.close()]);
  await tenant.close();
});

interface Way {
  readonly op: "application.get" | "application.addPassword";
  readonly retry: "safe" | "idempotent" | "once";
  readonly always: boolean;
}

/** What whoever calls gets to know, and how often the call was made: all but the status and the words for the evidence. */
async function seenOf(kind: FaultKind, { op, retry, always }: Way) {
  const { sim, app } = tenant;
  const cell = { story: {}, fault: { shape: { op, match: {} }, nth: 1, kind, always } };
  const [body] = armOf(cell, ({ match }) => match);
  const armed = await fetch(`${sim.urls.management}/faults`, { method: "POST", body: JSON.stringify(body) });
  const { id } = (await armed.json()) as { id: string };
  const changes = op === "application.addPassword";
  let mayStand = false;
  const leave = {
    clock: jumpingClock(),
    signal: new AbortController().signal,
    effectMayStand: () => {
      mayStand = true;
    },
  };
  const http = isSlow({ fault: { kind } }) ? hasty : patient;
  const endpoint = http.endpoint(sim.urls.graph);
  const answer = await http
    .call(leave, {
      name: op,
      method: changes ? "POST" : "GET",
      url: endpoint.url(`/v1.0/applications/${app.objectId}${changes ? "/addPassword" : ""}`),
      headers: { authorization: `Bearer ${token}` },
      ...(changes ? { json: { passwordCredential: { displayName: "alike" } } } : {}),
      retry,
      effect: changes,
      expect: [200, 201],
      answer: z.looseObject({}),
      readError: readGraphError,
      budget: new Budget(8),
      attemptsMax,
    })
    .then(
      () => "answered",
      (error: unknown) => {
        if (!(error instanceof CountersignError)) throw error;
        const { refused, retryAfterMs } = error.facts;
        return { code: error.code, refused, retryAfterMs };
      },
    );
  const made = sim.world.rules.list().find((rule) => rule.id === id)?.seen;
  sim.world.rules.disarm(id);
  return { answer, mayStand, made };
}

const ways: readonly Way[] = [
  { op: "application.get", retry: "safe", always: false },
  { op: "application.get", retry: "safe", always: true },
  { op: "application.addPassword", retry: "idempotent", always: false },
  { op: "application.addPassword", retry: "idempotent", always: true },
  { op: "application.addPassword", retry: "once", always: false },
];

describe("kinds of faults of which one is tried for all", () => {
  it.each(ways)("are one and the same to whoever makes the call: $op, $retry, for ever: $always", async (way) => {
    for (const alike of kindsOf({ op: way.op, match: {} })) {
      const [first, ...others] = alike;
      if (first === undefined || others.length === 0) continue;
      const wanted = await seenOf(first, way);
      expect(wanted.answer === "answered", first.name).toBe(!way.always && way.retry !== "once");
      for (const other of others) expect(await seenOf(other, way), `${other.name} as ${first.name}`).toEqual(wanted);
    }
  });

  it("are as many as there are, and the rest is told apart", () => {
    const all = (op: string, text?: string) => kindsOf({ op, match: text === undefined ? {} : { text } });
    const sizes = (...call: Parameters<typeof all>) =>
      all(...call).flatMap(({ length }) => (length > 1 ? [length] : []));
    expect(sizes("application.get")).toEqual([7]);
    expect(all("application.get")).toHaveLength(9);
    expect(sizes("application.addPassword")).toEqual([3, 3]);
    expect(all("application.addPassword")).toHaveLength(11);
    expect(sizes("postgres.query", "select 1")).toEqual([7]);
    expect(sizes("postgres.query", "commit")).toEqual([4, 3]);
    expect(all("postgres.query", "commit")).toHaveLength(3);
    expect(sizes("postgres.connect")).toEqual([4]);
  });

  it("are one and the same of a database: no answer, a connection that ends, a statement that somebody cancels", () => {
    // Of a deadline and of a connection that ended the driver gives no code.
    const codes = [undefined, "ECONNRESET", "57014", "57P01"];
    const [first, ...others] = codes.map((code) => {
      const { code: ours, facts } = serverError(Object.assign(new Error("as the driver says it"), { code }));
      return { ours, facts: { ...facts, code: null } };
    });
    for (const other of others) expect(other).toEqual(first);
    expect(serverError(Object.assign(new Error("serialization"), { code: "40001" })).code).not.toBe(first?.ours);
    expect([...connectKinds, ...statementKinds].filter(({ mute }) => mute !== true).map(({ name }) => name)).toEqual([
      "sql-serialization",
    ]);
  });
});
