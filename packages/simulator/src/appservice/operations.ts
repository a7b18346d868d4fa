import type { Outcome } from "../http/exchange.ts";
import { isoTime } from "../time.ts";
import { writeActivity } from "./activity.ts";
import { refuseArm } from "./errors.ts";
import { isReference, refreshReferences, resolveReference } from "./references.ts";
import type { ArmCall } from "./surface.ts";

const SETTINGS_BYTES_MAX = 1_000_000;
const NAME = /^[A-Za-z0-9_.:-]{1,200}$/;

const ok = (body: unknown): Outcome => ({ reply: { status: 200, body }, effect: false });

/** GET the app. */
export function getSite({ site, resourceId }: ArmCall): Outcome {
  return ok({
    id: resourceId,
    name: site.name,
    type: site.slot === null ? "Microsoft.Web/sites" : "Microsoft.Web/sites/slots",
    kind: "app",
    location: "West Europe",
    ...(site.principalId === null
      ? {}
      : { identity: { type: "SystemAssigned", principalId: site.principalId, tenantId: "" } }),
    properties: {
      state: "Running",
      enabled: true,
      defaultHostName: site.defaultHostName,
      resourceGroup: site.resourceGroup,
      lastModifiedTimeUtc: isoTime(site.lastWriteMs).replace(/\.\d+Z$/, ".0000000"),
    },
  });
}

/** POST list: all settings with their values. */
export function listSettings(call: ArmCall): Outcome {
  return ok(settingsBody(call));
}

function settingsBody({ site, resourceId }: ArmCall): Record<string, unknown> {
  return {
    id: `${resourceId}/config/appsettings`,
    name: "appsettings",
    type: "Microsoft.Web/sites/config",
    location: "West Europe",
    properties: { ...site.settings },
  };
}

/** PUT: what is sent is what is there from then on; the app restarts and asks for all its references anew. */
export function updateSettings(call: ArmCall): Outcome {
  const { world, site, incoming } = call;
  const next = readProperties(incoming.body);
  if (next === null) return refuseArm(400, "BadRequest", "Parameter properties is not valid.");
  site.settings = next;
  site.restarts += 1;
  site.lastWriteMs = world.clock.nowMs;
  for (const name of Object.keys(site.references)) if (!isReference(next[name] ?? "")) delete site.references[name];
  refreshReferences(world, site);
  const correlationId = writeActivity(call, "Microsoft.Web/sites/config/Write");
  const headers = { "x-ms-correlation-request-id": correlationId };
  return {
    reply: { status: 200, headers, body: settingsBody(call) },
    effect: true,
    target: { settings: Object.keys(next).length },
  };
}

function readProperties(text: string): Record<string, string> | null {
  if (text.length > SETTINGS_BYTES_MAX) return null;
  try {
    const body = JSON.parse(text) as { properties?: unknown } | null;
    const properties = body?.properties;
    if (typeof properties !== "object" || properties === null || Array.isArray(properties)) return null;
    const entries = Object.entries(properties);
    return entries.every(([name, value]) => NAME.test(name) && typeof value === "string")
      ? (Object.fromEntries(entries) as Record<string, string>)
      : null;
  } catch {
    return null;
  }
}

/** GET the names that stay with the slot. */
export function getSlotConfigNames({ site, resourceId }: ArmCall): Outcome {
  return ok({
    id: `${resourceId}/config/slotConfigNames`,
    name: "slotConfigNames",
    type: "Microsoft.Web/sites/config",
    properties: { appSettingNames: site.stickyNames, connectionStringNames: null, azureStorageConfigNames: null },
  });
}

/** GET all references with their status. */
export function listReferences(call: ArmCall): Outcome {
  const names = Object.keys(call.site.settings).filter((name) => isReference(call.site.settings[name] ?? ""));
  return ok({ value: names.map((name) => referenceShape(call, name)), nextLink: null });
}

/** GET one reference. */
export function getReference(call: ArmCall): Outcome {
  const name = call.item ?? "";
  if (!isReference(call.site.settings[name] ?? ""))
    return refuseArm(404, "NotFound", `Cannot find a reference for ${name}.`);
  return ok(referenceShape(call, name));
}

function referenceShape(call: ArmCall, name: string): Record<string, unknown> {
  const { activeVersion, ...resolved } = resolveReference(call.world, call.site, name);
  return {
    id: `${call.resourceId}/config/configreferences/appsettings/${name}`,
    name,
    type: "Microsoft.Web/sites/config/configreferences",
    properties: {
      ...resolved,
      identityType: "SystemAssigned",
      details: resolved.status === "Resolved" ? "Reference has been successfully resolved." : resolved.status,
      source: "KeyVault",
      ...(activeVersion === null ? {} : { activeVersion }),
    },
  };
}

/** POST refresh: the platform asks the vault again at once, or says so and does not. */
export function refresh(call: ArmCall): Outcome {
  const ignored = call.world.random("refresh-ignored").chance(call.world.knobs.refreshIgnored);
  const references = ignored ? 0 : refreshReferences(call.world, call.site);
  writeActivity(call, "Microsoft.Web/sites/config/refresh/Action");
  return { reply: { status: 200, body: {} }, effect: true, target: { references } };
}
