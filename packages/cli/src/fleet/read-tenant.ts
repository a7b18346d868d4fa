import { readFileSync } from "node:fs";
import { type BuiltConnectors, createConnectors } from "@countersign/connectors";
import {
  isLoopback,
  type LastUse,
  type ObjectOwners,
  type ReadContext,
  type ScannedObject,
  type Scanner,
} from "@countersign/core";
import { type EngineClock, systemClock } from "@countersign/engine";
import { readSecret } from "@countersign/server";
import { say } from "../output.ts";

/** What it takes to look at a tenant: a reader application, and nothing that Countersign would have to be set up for. */
export interface ReaderOptions {
  readonly tenantId: string;
  readonly clientId: string;
  /** A reference: `file:` or `env:`. */
  readonly clientSecret: string;
  readonly authority: string;
  readonly graph: string;
  readonly graphAudience?: string;
  readonly ca?: string;
}

const callDeadlineMs = 30_000;

/** Connectors of one tenant with a reader alone. Nothing of an installation is read. */
export function openReader(options: ReaderOptions): { clock: EngineClock; connectors: BuiltConnectors } {
  const secret = readSecret(options.clientSecret, process.cwd());
  const loopback = [options.authority, options.graph].every((url) => isLoopback(url));
  const clock = systemClock();
  const client = { clientId: options.clientId, secret: "reader" };
  const connectors = createConnectors(
    {
      profile: loopback ? "test" : "production",
      network: { ca: options.ca === undefined ? [] : [readFileSync(options.ca, "utf8")], proxy: null, loopback },
      callDeadlineMs,
      tenants: [
        {
          name: options.tenantId,
          id: options.tenantId,
          authority: options.authority,
          graph: options.graph,
          ...(options.graphAudience === undefined ? {} : { graphAudience: options.graphAudience }),
          reader: client,
          writer: client,
          ownExecutorAppIds: [],
          ownAddresses: [],
        },
      ],
      connections: [],
    },
    { clock, version: "survey", readSecret: () => Promise.resolve(secret) },
  );
  return { clock, connectors };
}

/** Every application and service principal, page by page. */
export async function listed(scanner: Scanner, ctx: ReadContext): Promise<ScannedObject[]> {
  const objects = new Map<string, ScannedObject>();
  let unreadable = 0;
  for (const collection of scanner.collections) {
    let link: string | null = null;
    do {
      const page = await scanner.page(ctx, collection, link);
      for (const object of page.objects) objects.set(object.objectId, object);
      unreadable += page.unreadable.length;
      link = page.next;
      say(`${objects.size} applications and service principals listed`);
    } while (link !== null);
  }
  if (unreadable > 0) say(`${unreadable} came in a form that is not documented; nothing is said of them`);
  return [...objects.values()];
}

/** Who owns which application, by object id. */
export async function ownersOf(scanner: Scanner, ctx: ReadContext, of: number): Promise<Map<string, ObjectOwners>> {
  const owners = new Map<string, ObjectOwners>();
  let link: string | null = null;
  do {
    const page = await scanner.owners(ctx, "applications", link);
    for (const one of page.found) owners.set(one.objectId, one);
    link = page.next;
    say(`owners of ${owners.size} of ${of} read`);
  } while (link !== null);
  return owners;
}

/** When each credential was last used; null: the report is not to be had. */
export async function usesOf(scanner: Scanner, ctx: ReadContext): Promise<Map<string, LastUse> | null> {
  const uses = new Map<string, LastUse>();
  let link: string | null = null;
  do {
    const page = await scanner.uses(ctx, link);
    if (page === null) {
      say("the report on last use is not to be had (AuditLog.Read.All, P1 or P2): nothing is called unused");
      return null;
    }
    for (const use of page.found) uses.set(use.id, use);
    link = page.next;
  } while (link !== null);
  return uses;
}
