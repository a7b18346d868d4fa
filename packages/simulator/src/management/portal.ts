import { z } from "zod";
import { keyDescriptions, recordAudit } from "../graph/audits.ts";
import { addCredential, presentCredentials, removeCredential } from "../tenant/credentials.ts";
import { findApplication } from "../tenant/find.ts";
import { type Application, PORTAL, type User } from "../tenant/model.ts";
import { sevenDigitTime } from "../time.ts";
import { readSecret } from "../vault/store.ts";
import type { World } from "../world.ts";

const DAY_MS = 86_400_000;

const act = z.strictObject({
  /** Scenario name of the application. */
  application: z.string().min(1),
  /** Name of the user who does it. */
  user: z.string().min(1),
  ipAddress: z.string().default("203.0.113.7"),
});

const addition = act.extend({
  displayName: z.string().default("made by hand"),
  expiresInDays: z.number().positive().default(730),
  kind: z.enum(["secret", "certificate"]).default("secret"),
  /** A program that nobody has declared: it gets the value by hand, and lives on it from now on. */
  program: z
    .strictObject({
      name: z.string().min(1),
      intervalSeconds: z.number().min(0.05).default(600),
      ipAddress: z.string().default("198.51.100.20"),
    })
    .optional(),
});

const removal = act.extend({ keyId: z.string().min(1) });
const renaming = z.strictObject({ user: z.string().min(1), to: z.string().min(1) });
const pasting = z.strictObject({ program: z.string().min(1), vault: z.string().min(1), secret: z.string().min(1) });

/** A person makes a credential in the portal. Answers its id; the value goes to the program and nowhere else. */
export function addByHand(world: World, body: unknown): Record<string, unknown> {
  const wish = parse(addition, body);
  const { application, user } = whoAndWhere(world, wish);
  const before = keyDescriptions(application);
  const endMs = world.clock.nowMs + Math.round(wish.expiresInDays * DAY_MS);
  const keyId =
    wish.kind === "secret"
      ? addSecret(world, application, { ...wish, endMs })
      : addCertificate(world, application, wish.displayName, endMs);
  record(world, { user, ipAddress: wish.ipAddress }, application, before, "portal.add", keyId);
  return { keyId };
}

function addSecret(
  world: World,
  application: Application,
  { displayName, endMs, program }: Pick<z.output<typeof addition>, "displayName" | "program"> & { endMs: number },
): string {
  const credential = addCredential(world, application, { displayName, startMs: null, endMs, createdBy: PORTAL });
  if (program !== undefined)
    world.tenant.workloads.push({
      name: program.name,
      kind: "entra-held",
      ipAddress: program.ipAddress,
      intervalMs: Math.round(program.intervalSeconds * 1000),
      cacheMs: 0,
      // Whoever pastes a value tries it once every gateway knows it.
      nextMs: Math.max(...credential.usableAtMs) + 1_000,
      appId: application.appId,
      vault: null,
      secret: null,
      file: null,
      postgres: null,
      container: null,
      entry: null,
      held: { value: credential.secretText, user: null, database: null, readMs: world.clock.nowMs },
      stopped: false,
    });
  return credential.keyId;
}

function addCertificate(world: World, application: Application, displayName: string, endMs: number): string {
  const keyId = world.random(`certificate:${application.id}`).uuid();
  const startText = sevenDigitTime(world.clock.nowMs, "0000");
  application.keyCredentials.push({ keyId, displayName, startText, endText: sevenDigitTime(endMs, "0000") });
  application.lastWriteMs = world.clock.nowMs;
  return keyId;
}

/** A person removes a credential in the portal. */
export function removeByHand(world: World, body: unknown): Record<string, unknown> {
  const wish = parse(removal, body);
  const { application, user } = whoAndWhere(world, wish);
  const before = keyDescriptions(application);
  const secret = presentCredentials(application).find(({ keyId }) => keyId === wish.keyId);
  const certificate = application.keyCredentials.findIndex(({ keyId }) => keyId === wish.keyId);
  if (secret === undefined && certificate === -1)
    throw new RangeError(`keyId: expected a credential of ${wish.application}`);
  if (secret !== undefined) removeCredential(world, application, secret);
  else application.keyCredentials.splice(certificate, 1);
  record(world, { user, ipAddress: wish.ipAddress }, application, before, "portal.remove", wish.keyId);
  return { keyId: wish.keyId };
}

/** A person is renamed: what the audit log says of before keeps the old name. */
export function renameUser(world: World, body: unknown): Record<string, unknown> {
  const wish = parse(renaming, body);
  const user = userOf(world, wish.user);
  user.userPrincipalName = `${wish.to}@${world.tenant.domain}`;
  user.displayName = wish.to;
  world.persist();
  return { id: user.id, userPrincipalName: user.userPrincipalName };
}

/** An owner copies the newest value of a vault entry into a program by hand. */
export function pasteInto(world: World, body: unknown): Record<string, unknown> {
  const wish = parse(pasting, body);
  const workload = world.tenant.workloads.find(({ name, kind }) => name === wish.program && kind === "entra-held");
  if (workload === undefined) throw new RangeError(`program: expected one that lives on a value by hand`);
  const vault = world.tenant.vaults.find(({ name }) => name === wish.vault);
  const read = vault === undefined ? null : readSecret(vault, wish.secret, null);
  if (read === null || !read.ok) throw new RangeError(`secret: expected an entry of ${wish.vault}`);
  workload.held = { value: read.version.value, user: null, database: null, readMs: world.clock.nowMs };
  world.persist();
  return { program: workload.name, version: read.version.version };
}

function whoAndWhere(world: World, wish: z.output<typeof act>): { application: Application; user: User } {
  const application = findApplication(world.tenant, wish.application);
  if (application === undefined) throw new RangeError(`application: expected a known one, got ${wish.application}`);
  return { application, user: userOf(world, wish.user) };
}

function userOf(world: World, name: string): User {
  const { users, domain } = world.tenant;
  const found = users.find(({ userPrincipalName }) => userPrincipalName === `${name}@${domain}`);
  if (found === undefined) throw new RangeError(`user: expected a known one, got ${name}`);
  return found;
}

function record(
  world: World,
  by: { user: User; ipAddress: string },
  application: Application,
  before: readonly string[],
  op: "portal.add" | "portal.remove",
  keyId: string,
): void {
  const requestId = world.random("portal").uuid();
  const kind = { collection: "applications", noun: "application" } as const;
  recordAudit(world, { ...by, requestId }, kind, application, before, keyDescriptions(application));
  world.effects.append({
    op,
    caller: by.user.id,
    workload: null,
    target: { objectId: application.id, appId: application.appId, keyId },
    effect: true,
    status: 200,
    code: null,
    fault: null,
    requestId,
    clientRequestId: null,
    userAgent: null,
  });
  world.persist();
}

function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new RangeError(result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("\n"));
}
