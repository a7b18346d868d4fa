import { CountersignError, type Facts, SecretValue, type VerifyLevel } from "@countersign/core";
import { z } from "zod";
import type { Budget } from "../kit/budget.ts";
import type { Ground } from "../kit/ground.ts";
import type { Answer, Endpoint, ErrorReader, Http } from "../kit/http.ts";
import type { Leave } from "../kit/leave.ts";
import { textAt } from "./json-path.ts";
import type { RestConnection } from "./schema.ts";
import { render, renderJson, type Values } from "./template.ts";

/** Answers are small: a status and a few marks. */
const answerBytesMax = 1024 * 1024;

/** One described interface ready to be called. */
export interface Service {
  readonly connection: RestConnection;
  readonly http: Http;
  readonly endpoint: Endpoint;
  readonly budget: Budget;
  readonly headers: () => Promise<Readonly<Record<string, string>>>;
}

/** Finds an interface by its connection name. Throws CONFIG_INVALID. */
export type Services = (connection: string) => Service;

/** Makes a connection ready. In production only public addresses are called, whatever a name resolves to. Throws HOST_REFUSED. */
export function connectService(connection: RestConnection, ground: Ground): Service {
  const publicOnly = ground.profile === "production";
  const http = ground.open({ publicOnly, bodyBytesMax: answerBytesMax });
  const endpoint = http.endpoint(connection.url);
  return {
    connection,
    http,
    endpoint,
    budget: ground.budget(`${endpoint.base.host}:rest`),
    headers: () => authHeaders(connection.auth, ground),
  };
}

async function authHeaders(auth: RestConnection["auth"], ground: Ground): Promise<Readonly<Record<string, string>>> {
  if (auth === undefined) return {};
  if ("bearer" in auth) return { authorization: `Bearer ${(await ground.readSecret(auth.bearer)).reveal()}` };
  if ("header" in auth) return { [auth.header.name]: (await ground.readSecret(auth.header.secret)).reveal() };
  const pair = `${auth.basic.user}:${(await ground.readSecret(auth.basic.secret)).reveal()}`;
  return { authorization: `Basic ${Buffer.from(pair, "utf8").toString("base64")}` };
}

/** Without a form that is known, a code is taken from where most put one. */
const readAnyError: ErrorReader = (_status, body) => {
  const parsed = z.looseObject({ code: z.string().optional(), error: z.string().optional() }).safeParse(body);
  return { code: parsed.data?.code ?? parsed.data?.error ?? null, transient: false };
};

type Described =
  | NonNullable<RestConnection["read"]>
  | NonNullable<RestConnection["identity"]>
  | NonNullable<RestConnection["verify"]>;

/** One of the described reads. Throws OUTSIDE_NOT_FOUND. */
async function get(leave: Leave, to: Service, name: string, described: Described, values: Values): Promise<unknown> {
  const { body } = await to.http.call(leave, {
    name,
    method: "GET",
    url: urlOf(to, described, values),
    headers: { ...rendered(described.headers, values), ...(await to.headers()) },
    retry: "safe",
    effect: false,
    expect: described.status,
    answer: z.json(),
    readError: readAnyError,
    budget: to.budget,
  });
  return body;
}

/** The described write. `value` stands in its body and nowhere else. */
export async function send(leave: Leave, to: Service, values: Values, value: SecretValue): Promise<Answer<undefined>> {
  const { write } = to.connection;
  return to.http.call<undefined>(leave, {
    name: "entry.write",
    method: write.method,
    url: urlOf(to, write, values),
    headers: { ...rendered(write.headers, values), ...(await to.headers()) },
    json: renderJson(write.body, { ...values, value: value.reveal() }),
    retry: write.retry,
    effect: true,
    expect: write.status,
    answer: null,
    readError: readAnyError,
    budget: to.budget,
  });
}

function urlOf(to: Service, { path, query }: Pick<Described, "path" | "query">, values: Values): URL {
  const parts = path.split("/").map((part) => {
    const text = render(part, values, encodeURIComponent);
    // A version or a name may not climb out of the path that was described.
    if (/^\.{1,2}$/.test(text)) throw new CountersignError("HOST_REFUSED", "expected a name in the path, got dots");
    return text;
  });
  return to.endpoint.url(parts.join("/"), rendered(query, values));
}

function rendered(templates: Readonly<Record<string, string>>, values: Values): Record<string, string> {
  return Object.fromEntries(Object.entries(templates).map(([name, text]) => [name, render(text, values)]));
}

/** What the entry shows of itself. */
export interface Shown {
  /** Null where it shows none. */
  readonly value: SecretValue | null;
  /** The version that was sent along with the last write, or its own mark of it. */
  readonly mark: string | null;
}

/** Null where no reading is described. Throws OUTSIDE_NOT_FOUND. */
export async function readEntry(leave: Leave, to: Service, values: Values): Promise<Shown | null> {
  const { read } = to.connection;
  if (read === undefined) return null;
  const body = await get(leave, to, "entry.read", read, values);
  const value = read.value === undefined ? null : textAt(body, read.value);
  const mark = read.version ?? read.changed;
  return {
    value: value === null ? null : SecretValue.of(value),
    mark: mark === undefined ? null : shortened(textAt(body, mark)),
  };
}

/** A mark goes into evidence: nothing that is longer than one, and nothing that cannot be printed. */
function shortened(text: string | null): string | null {
  return text !== null && /^[\u0020-\u007e]{1,100}$/.test(text) ? text : null;
}

/** Whether everything holds that the connection wants to hold after a write. */
export async function isTaken(leave: Leave, to: Service, values: Values): Promise<boolean> {
  const { verify } = to.connection;
  if (verify === undefined) return true;
  const body = await get(leave, to, "entry.verify", verify, values);
  return verify.expect.every(({ at, equals }) => textAt(body, at) === render(equals, values));
}

/** What tells the entry from another one of its name; only the name where nothing is described. Throws OUTSIDE_NOT_FOUND. */
export async function identityOf(leave: Leave, to: Service, values: Values): Promise<Facts> {
  const { base } = to.endpoint;
  const named = { host: base.host, entry: values.entry };
  const { identity } = to.connection;
  if (identity === undefined) return named;
  const body = await get(leave, to, "entry.identity", identity, values);
  const facts = Object.entries(identity.facts).map(([name, path]) => [name, shortened(textAt(body, path))] as const);
  const missing = facts.find(([, text]) => text === null);
  if (missing !== undefined)
    throw new CountersignError("OUTSIDE_MALFORMED", `expected the fact ${missing[0]} in the answer, got none`);
  return { ...Object.fromEntries(facts), ...named };
}

/** How far reading shows the new value here. */
export function showsOf({ read }: RestConnection): VerifyLevel {
  if (read?.value !== undefined) return "value-matched";
  return read === undefined ? "accepted" : "metadata-changed";
}
