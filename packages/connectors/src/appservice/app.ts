import { CountersignError, type Facts } from "@countersign/core";
import type { Budget } from "../kit/budget.ts";
import { clientTokens, type Ground } from "../kit/ground.ts";
import type { Call, Endpoint, ErrorReader, Http } from "../kit/http.ts";
import type { Leave } from "../kit/leave.ts";
import { isoOf } from "../kit/time.ts";
import type { TokenSource } from "../kit/token.ts";
import type { AppServiceConnection } from "./schema.ts";
import { ActivityLog, ArmError, Reference, Settings, Site, SlotConfigNames } from "./shapes.ts";

/** Version of Microsoft.Web that the shapes were taken from. */
const apiVersion = { "api-version": "2024-11-01" };

/** One subscription ready to be called. */
export interface Subscription {
  readonly connection: AppServiceConnection;
  readonly http: Http;
  readonly endpoint: Endpoint;
  readonly token: TokenSource;
  readonly budget: Budget;
}

/** Makes a connection ready. Throws CONFIG_INVALID and HOST_REFUSED. */
export function connectSubscription(connection: AppServiceConnection, ground: Ground): Subscription {
  return {
    connection,
    http: ground.http,
    endpoint: ground.http.endpoint(connection.url),
    token: clientTokens(
      ground,
      connection.tenant,
      connection.client,
      `${connection.audience.replace(/\/$/, "")}/.default`,
    ),
    budget: ground.budget(`${connection.subscription}:arm`),
  };
}

/** Finds a subscription by its connection name. Throws CONFIG_INVALID. */
export type Subscriptions = (connection: string) => Subscription;

/** Where a setting stands. */
export interface SettingTarget {
  readonly resourceGroup: string;
  readonly site: string;
  readonly slot?: string | undefined;
  readonly setting: string;
}

const readArmError: ErrorReader = (_status, body) => {
  const parsed = ArmError.safeParse(body);
  return { code: parsed.success ? parsed.data : null, transient: false };
};

type ArmCall<T> = Pick<Call<T>, "name" | "method" | "retry" | "effect" | "answer"> & { readonly json?: unknown };

function call<T>(
  leave: Leave,
  to: Subscription,
  path: string,
  request: ArmCall<T>,
  query: Record<string, string> = {},
) {
  return to.http.call(leave, {
    ...request,
    url: to.endpoint.url(path, { ...apiVersion, ...query }),
    expect: request.answer === null ? [200, 202, 204] : [200],
    readError: readArmError,
    budget: to.budget,
    token: to.token,
  });
}

/** Resource id of the app itself. */
function appId(to: Subscription, { resourceGroup, site }: SettingTarget): string {
  return `/subscriptions/${to.connection.subscription}/resourceGroups/${resourceGroup}/providers/Microsoft.Web/sites/${site}`;
}

/** Resource id of the app or slot. */
function resourceId(to: Subscription, target: SettingTarget): string {
  return target.slot === undefined ? appId(to, target) : `${appId(to, target)}/slots/${target.slot}`;
}

/** What the connection's scope is asked for: `resource group/app[/slot]/setting`. */
export function scopeName({ resourceGroup, site, slot, setting }: SettingTarget): string {
  return [resourceGroup, site, ...(slot === undefined ? [] : [slot]), setting].join("/");
}

/** Who an app is, and whether that outlives its name. */
export interface AppIdentity {
  readonly identity: Facts;
  readonly kind: "immutable" | "name-only";
}

/**
 * Reads who answers. An app that is deleted and made again under its name has the same resource id; its system-assigned
 * identity is another one. Without such an identity only the name and the host are left (I11).
 */
export async function readIdentity(leave: Leave, to: Subscription, target: SettingTarget): Promise<AppIdentity> {
  const id = resourceId(to, target);
  const { body } = await call(leave, to, id, {
    name: "site.get",
    method: "GET",
    retry: "safe",
    effect: false,
    answer: Site,
  });
  if (body.id.toLowerCase() !== id.toLowerCase())
    throw new CountersignError("OUTSIDE_MALFORMED", "expected the app that was asked for, got another resource id");
  const principalId = body.identity?.principalId ?? null;
  const names = await call(leave, to, `${appId(to, target)}/config/slotConfigNames`, {
    name: "slotConfigNames.get",
    method: "GET",
    retry: "safe",
    effect: false,
    answer: SlotConfigNames,
  });
  return {
    identity: {
      resourceId: id.toLowerCase(),
      host: body.properties.defaultHostName.toLowerCase(),
      setting: target.setting,
      // A setting that does not stay with its slot changes places when slots are swapped.
      staysWithSlot: names.body.properties.appSettingNames?.includes(target.setting) === true ? "yes" : "no",
      ...(principalId === null ? {} : { principalId: principalId.toLowerCase() }),
    },
    kind: principalId === null ? "name-only" : "immutable",
  };
}

/** All settings with their values, and when that was by the platform's clock. A POST, and still a read. */
export async function listSettings(leave: Leave, to: Subscription, target: SettingTarget) {
  const { body, headers } = await call(leave, to, `${resourceId(to, target)}/config/appsettings/list`, {
    name: "appSettings.list",
    method: "POST",
    retry: "safe",
    effect: false,
    answer: Settings,
  });
  const date = Date.parse(headers.date ?? "");
  return { body: body.properties, date: Number.isNaN(date) ? null : isoOf(date) };
}

/** Replaces all settings; the app restarts. */
export function putSettings(leave: Leave, to: Subscription, target: SettingTarget, properties: Record<string, string>) {
  return call(leave, to, `${resourceId(to, target)}/config/appsettings`, {
    name: "appSettings.update",
    method: "PUT",
    json: { properties },
    // The map is built from what was read a moment ago: it is read again before it is sent again.
    retry: "once",
    effect: true,
    answer: Settings,
  });
}

/** What the platform says of the setting's Key Vault reference. Throws OUTSIDE_NOT_FOUND when it is none. */
export async function readReference(leave: Leave, to: Subscription, target: SettingTarget): Promise<Reference> {
  const path = `${resourceId(to, target)}/config/configreferences/appsettings/${encodeURIComponent(target.setting)}`;
  const { body } = await call(leave, to, path, {
    name: "references.get",
    method: "GET",
    retry: "safe",
    effect: false,
    answer: Reference,
  });
  return body.properties;
}

/** Asks the platform to read all references of the app again. */
export function refreshReferences(leave: Leave, to: Subscription, target: SettingTarget) {
  return call(leave, to, `${resourceId(to, target)}/config/configreferences/appsettings/refresh`, {
    name: "references.refresh",
    method: "POST",
    retry: "idempotent",
    effect: true,
    answer: null,
  });
}

/** Writes to the app's settings by anybody since `from` (ms), as the activity log shows them now. */
export async function settingsWrites(leave: Leave, to: Subscription, target: SettingTarget, from: number) {
  const filter = `eventTimestamp ge '${isoOf(from)}' and resourceUri eq '${resourceId(to, target)}'`;
  const { body } = await call(
    leave,
    to,
    `/subscriptions/${to.connection.subscription}/providers/Microsoft.Insights/eventtypes/management/values`,
    { name: "activityLog.list", method: "GET", retry: "safe", effect: false, answer: ActivityLog },
    { "api-version": "2015-04-01", $filter: filter },
  );
  return body.value.filter(({ operationName }) =>
    /^Microsoft\.Web\/sites\/(?:slots\/)?config\/write$/i.test(operationName.value),
  );
}
