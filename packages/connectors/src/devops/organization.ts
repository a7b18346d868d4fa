import { CountersignError, type Facts, type SecretValue } from "@countersign/core";
import type { z } from "zod";
import type { Budget } from "../kit/budget.ts";
import { factOf, outsideError } from "../kit/errors.ts";
import { clientTokens, type Ground } from "../kit/ground.ts";
import type { Answer, Call, Endpoint, ErrorReader, Http } from "../kit/http.ts";
import type { Leave } from "../kit/leave.ts";
import { isoOf } from "../kit/time.ts";
import type { TokenSource } from "../kit/token.ts";
import type { DevopsConnection } from "./schema.ts";
import { AuditLog, ConnectionData, DevopsError, VariableGroup } from "./shapes.ts";

/** Azure DevOps as a resource of Entra ID (Azure DevOps docs, service principals and managed identities). */
const devopsScope = "499b84ac-1321-427f-aa17-267ca6975798/.default";

const apiVersion = { "api-version": "7.1" };

/** One organization ready to be called. */
export interface Organization {
  readonly connection: DevopsConnection;
  readonly http: Http;
  readonly endpoint: Endpoint;
  readonly audit: Endpoint | null;
  readonly budget: Budget;
  /** Exactly one of the two is there. */
  readonly token: TokenSource | null;
  readonly pat: (() => Promise<SecretValue>) | null;
}

/** Makes a connection ready. Throws CONFIG_INVALID and HOST_REFUSED. */
export function connectOrganization(connection: DevopsConnection, ground: Ground): Organization {
  const { client, pat, name } = connection;
  if ((client === undefined) === (pat === undefined))
    throw new CountersignError(
      "CONFIG_INVALID",
      `expected connection ${name} to have either client or pat, got both or neither`,
    );
  const endpoint = ground.http.endpoint(connection.url);
  return {
    connection,
    http: ground.http,
    endpoint,
    audit: connection.audit === null ? null : ground.http.endpoint(connection.audit),
    budget: ground.budget(`${endpoint.base.href}:devops`),
    token: client === undefined ? null : clientTokens(ground, connection.tenant, client, devopsScope),
    pat: pat === undefined ? null : () => ground.readSecret(pat),
  };
}

/** Finds an organization by its connection name. Throws CONFIG_INVALID. */
export type Organizations = (connection: string) => Organization;

/** Where a variable stands. */
export interface VariableTarget {
  readonly project: string;
  readonly group: number;
  readonly variable: string;
}

const readDevopsError: ErrorReader = (_status, body) => {
  const parsed = DevopsError.safeParse(body);
  return { code: parsed.success ? parsed.data.typeKey : null, transient: false };
};

type DevopsCall<T> = Pick<Call<T>, "name" | "method" | "url" | "retry" | "effect" | "answer"> & {
  readonly json?: unknown;
};

async function call<T>(leave: Leave, to: Organization, request: DevopsCall<T>): Promise<Answer<T>> {
  const pat = to.pat === null ? null : (await to.pat()).reveal();
  try {
    return await to.http.call(leave, {
      ...request,
      expect: [200],
      readError: readDevopsError,
      budget: to.budget,
      ...(to.token === null ? {} : { token: to.token }),
      ...(pat === null ? {} : { headers: { authorization: `Basic ${Buffer.from(`:${pat}`).toString("base64")}` } }),
    });
  } catch (error) {
    const status = factOf(error, "status");
    if (status !== 203 && status !== 302) throw error;
    // Instead of a 401 it shows its sign-in page, with a status that is no error: nothing was done.
    throw outsideError({
      code: "OUTSIDE_AUTH",
      call: request.name,
      status,
      vendorCode: null,
      requestId: null,
      refused: true,
      retryAfterMs: null,
      message: `expected ${request.name} to know our credential, got the sign-in page`,
    });
  }
}

/** Reads a group through its project. Throws OUTSIDE_NOT_FOUND. */
export async function readGroup(leave: Leave, to: Organization, target: VariableTarget): Promise<VariableGroup> {
  const path = `/${encodeURIComponent(target.project)}/_apis/distributedtask/variablegroups/${target.group}`;
  const { body } = await call(leave, to, {
    name: "variableGroup.get",
    method: "GET",
    url: to.endpoint.url(path, apiVersion),
    retry: "safe",
    effect: false,
    answer: VariableGroup,
  });
  if (body.id !== target.group)
    throw new CountersignError("OUTSIDE_MALFORMED", `expected variable group ${target.group}, got another number`);
  return body;
}

/** Replaces the group by `group` with one variable set. Secrets without a value keep the one they have. */
export function putGroup(leave: Leave, to: Organization, group: VariableGroup, variable: string, value: SecretValue) {
  const { name, description, type, providerData, variableGroupProjectReferences } = group;
  return call(leave, to, {
    name: "variableGroup.update",
    method: "PUT",
    url: to.endpoint.url(`/_apis/distributedtask/variablegroups/${group.id}`, apiVersion),
    json: {
      name,
      description: description ?? "",
      type,
      ...(providerData === undefined ? {} : { providerData }),
      variableGroupProjectReferences,
      variables: {
        ...group.variables,
        [variable]: { ...group.variables[variable], isSecret: true, value: value.reveal() },
      },
    },
    // The map is built from what was read a moment ago: it is read again before it is sent again.
    retry: "once",
    effect: true,
    answer: VariableGroup,
  });
}

/** Our own id, as groups and the audit log name it. */
export async function ownId(leave: Leave, to: Organization): Promise<string> {
  const { body } = await call(leave, to, {
    name: "connectionData.get",
    method: "GET",
    url: to.endpoint.url("/_apis/connectionData", { "api-version": "7.1-preview.1" }),
    retry: "safe",
    effect: false,
    answer: ConnectionData,
  });
  return body.authenticatedUser.id;
}

/** Writes to the group by anybody between two times (ms), as the audit log shows them now. */
export async function auditedWrites(
  leave: Leave,
  to: Organization,
  audit: Endpoint,
  group: string,
  from: number,
  until: number,
): Promise<{ readonly actor: string | null; readonly at: string }[]> {
  const { body }: { readonly body: z.infer<typeof AuditLog> } = await call(leave, to, {
    name: "auditLog.query",
    method: "GET",
    url: audit.url("/_apis/audit/auditlog", {
      ...apiVersion,
      startTime: isoOf(from),
      endTime: isoOf(until),
    }),
    retry: "safe",
    effect: false,
    answer: AuditLog,
  });
  return body.decoratedAuditLogEntries
    .filter(
      (entry) => entry.actionId.startsWith("Library.VariableGroupModified") && entry.data?.VariableGroupName === group,
    )
    .map((entry) => ({ actor: entry.actorUserId ?? null, at: entry.timestamp }));
}

/** What outlives a name: the project's id, the group's number (never used twice) and when it was made (I11). */
export function groupIdentity(to: Organization, target: VariableTarget, group: VariableGroup): Facts {
  const reference = group.variableGroupProjectReferences.find(
    ({ projectReference }) => projectReference.name.toLowerCase() === target.project.toLowerCase(),
  );
  if (reference === undefined)
    throw new CountersignError("OUTSIDE_NOT_FOUND", `expected a group of project ${target.project}, got one of others`);
  return {
    organization: `${to.endpoint.base.host}${to.endpoint.base.pathname.replace(/\/+$/, "")}`,
    projectId: reference.projectReference.id.toLowerCase(),
    group: String(group.id),
    createdOn: group.createdOn,
    variable: target.variable,
  };
}
