import { readFileSync } from "node:fs";
import { heldBy } from "../kubernetes/objects.ts";
import type { World } from "../world.ts";

const FILE_BYTES_MAX = 1024 * 1024;

/** Which texts somebody can still get a value from. */
export interface HeldTexts {
  /** Every enabled version of every secret that is not deleted, every known file, every workload's memory. */
  readable: string[];
  /** The latest version of each such secret, every known file, every workload's memory. */
  current: string[];
}

/** Collects them now; files are those that a workload reads. */
export function heldTexts(world: World): HeldTexts {
  const { tenant } = world;
  const inUse = [
    ...tenant.workloads.flatMap((workload) => (workload.held === null ? [] : [workload.held.value])),
    ...new Set(tenant.workloads.flatMap((workload) => (workload.file === null ? [] : [workload.file]))),
  ];
  const memory = inUse.map((item) => (item.startsWith("/") ? readText(item) : item));
  const variables = tenant.devops.flatMap((organization) =>
    organization.groups.flatMap((group) =>
      Object.values(group.variables).flatMap(({ value }) => (value === null ? [] : [value])),
    ),
  );
  const settings = tenant.sites.flatMap((site) => [
    ...Object.values(site.settings),
    ...Object.values(site.references).map((reference) => reference.value),
  ]);
  memory.push(...variables, ...settings, ...moreValues(world));
  const secrets = tenant.vaults.flatMap((vault) =>
    Object.values(vault.secrets).filter((secret) => secret.deleted === null),
  );
  const latest = secrets.flatMap((secret) => {
    const version = secret.versions.at(-1);
    return version?.enabled === true ? [version.value] : [];
  });
  const enabled = secrets.flatMap((secret) => secret.versions.filter((item) => item.enabled).map((item) => item.value));
  return { readable: [...enabled, ...memory], current: [...latest, ...memory] };
}

/** What stands in GitHub, in clusters (pods of before included) and in gateways. */
function moreValues(world: World): string[] {
  const { github, clusters, gateways } = world.tenant;
  const holders = github.flatMap(({ organizations, repositories }) => [
    ...organizations,
    ...repositories,
    ...repositories.flatMap(({ environments }) => environments),
  ]);
  return [
    ...holders.flatMap(({ secrets }) => Object.values(secrets).map(({ value }) => value)),
    ...clusters.flatMap(({ secrets, workloads }) => [
      ...secrets.flatMap(({ data }) => Object.values(data)),
      ...workloads.flatMap((workload) => Object.values(heldBy(world, workload))),
    ]),
    ...gateways.flatMap(({ entries }) => entries.map(({ value }) => value)),
  ];
}

/** True if a value is one of the texts or stands inside one. */
export function isHeld(texts: readonly string[], value: string): boolean {
  return texts.some((text) => text.includes(value));
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8").slice(0, FILE_BYTES_MAX);
  } catch {
    return "";
  }
}
