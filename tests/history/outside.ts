/**
 * What happened outside, as the invariants read it, from the simulator's effect log and directory over HTTP. The product is
 * told from other callers by how it names itself (`user-agent`), and a database session by the rotator's login.
 */
import type { Outside, OutsideCredential, OutsideEffect, OutsideSignIn } from "@countersign/core";
import { z } from "zod";
import { committed, type Effect, readEffects } from "../crash/stage/effects.ts";

const Directory = z.object({
  urls: z.object({ vaults: z.record(z.string(), z.string()) }),
  applications: z.array(
    z.object({
      objectId: z.string(),
      appId: z.string(),
      credentials: z.array(z.object({ keyId: z.string(), displayName: z.string().nullable() })),
    }),
  ),
});

const Holdings = z.object({
  records: z.array(
    z.object({
      vault: z.string(),
      secret: z.string(),
      objectId: z.string(),
      appId: z.string(),
      keyId: z.string(),
      signsIn: z.boolean(),
    }),
  ),
  lifetimes: z.array(z.object({ keyId: z.string(), created: z.string(), end: z.string() })),
  values: z.array(z.string()),
});

/** The directory's words for a secret that is not, or no longer, one of the application; PostgreSQL's for a login. */
const refusals: ReadonlySet<string> = new Set([
  "AADSTS7000215",
  "AADSTS7000222",
  "7000215",
  "7000222",
  "28P01",
  "28000",
]);

/** Everything after an entry of the effect log. */
export async function readOutside(management: string, after = 0): Promise<Outside> {
  const get = async (path: string): Promise<unknown> => (await fetch(new URL(path, management))).json();
  const { effects } = await readEffects(management, after);
  const { urls, applications } = Directory.parse(await get("/directory"));
  const { records, lifetimes, values } = Holdings.parse(await get("/holdings"));
  const hosts = new Map(Object.entries(urls.vaults).map(([name, url]) => [name, new URL(url).host]));
  const lived = new Map(lifetimes.map(({ keyId, created, end }) => [keyId, secondsBetween(created, end)]));
  return {
    effects: committed(effects)
      .filter(isOurs)
      .flatMap((effect) => changeOf(effect, hosts, lived)),
    signIns: effects.flatMap(signInOf),
    credentials: applications.flatMap(({ objectId, appId, credentials }) =>
      credentials.map(
        ({ keyId, displayName }): OutsideCredential => ({
          target: { objectId, appId },
          id: keyId,
          marker: markerOf(displayName),
        }),
      ),
    ),
    records: records.map(({ vault, secret, objectId, appId, keyId, signsIn }) => ({
      target: { objectId, appId },
      place: `${hosts.get(vault) ?? vault}/${secret}`,
      credential: keyId,
      signsIn,
    })),
    values,
  };
}

function secondsBetween(from: string, to: string): number {
  return (Date.parse(to) - Date.parse(from)) / 1_000;
}

function isOurs({ op, userAgent, workload }: Effect): boolean {
  if (workload !== null) return false;
  return op.startsWith("postgres.") || userAgent?.startsWith("countersign/") === true;
}

function changeOf(
  effect: Effect,
  hosts: ReadonlyMap<string, string>,
  lived: ReadonlyMap<string, number>,
): OutsideEffect[] {
  const { op, target, caller } = effect;
  const ids = idsOf(target);
  const base = {
    at: Date.parse(effect.at),
    target: ids,
    credential: null,
    marker: null,
    place: null,
    lifetimeSeconds: null,
  };
  const place = `${hosts.get(String(target.vault)) ?? String(target.vault)}/${String(target.secret)}`;
  if (op === "application.get") return [{ ...base, kind: "identify" }];
  // A vault says whose it is to a caller without a token.
  if (op === "secret.get" && caller === null) return [{ ...base, kind: "identify", place }];
  if (!effect.effect) return [];
  const credential = typeof target.keyId === "string" ? target.keyId : null;
  switch (op) {
    case "application.addPassword":
      return [
        {
          ...base,
          kind: "create",
          credential,
          marker: markerOf(target.displayName),
          lifetimeSeconds: lived.get(credential ?? "") ?? null,
        },
      ];
    case "application.removePassword":
      return [{ ...base, kind: "remove", credential }];
    case "secret.set":
      return [{ ...base, kind: "write", place }];
    case "postgres.query":
      return roleChangeOf(String(target.text), base);
    default:
      return [];
  }
}

/** A role changes by one statement; its marker, a comment, goes with it in the same transaction. */
function roleChangeOf(text: string, base: Omit<OutsideEffect, "kind">): OutsideEffect[] {
  const [, quoted, plain, rest = ""] = /^alter role (?:"([^"]+)"|(\S+))(.*)/is.exec(text) ?? [];
  const role = quoted ?? plain;
  if (role === undefined) return [];
  return [{ ...base, kind: /^\s+nologin/i.test(rest) ? "remove" : "create", target: { role }, credential: role }];
}

function signInOf({ op, at, workload, target, effect, code }: Effect): OutsideSignIn[] {
  if ((op !== "token" && op !== "postgres.connect") || workload === null) return [];
  const credential = target.keyId ?? target.role;
  return [
    {
      at: Date.parse(at),
      target: idsOf(target),
      program: workload,
      credential: typeof credential === "string" ? credential : null,
      worked: effect,
      refused: !effect && code !== null && refusals.has(code),
    },
  ];
}

function idsOf(target: Effect["target"]): Record<string, string> {
  return Object.fromEntries(
    ["objectId", "appId", "role"].flatMap((key) => (typeof target[key] === "string" ? [[key, target[key]]] : [])),
  );
}

/** `cs:<run>:<attempt>:<nonce>` (docs/connectors/entra.md). */
function markerOf(text: unknown): OutsideCredential["marker"] {
  const [, run, attempt, nonce] = /^cs:(run_[0-9a-z]{26}):(\d{1,6}):([0-9a-f]{32})$/.exec(String(text)) ?? [];
  return run === undefined || nonce === undefined ? null : { run, attempt: Number(attempt), nonce };
}
