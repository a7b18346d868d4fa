import type { z } from "zod";
import { issueMessage, type Problem } from "../documents/problem.ts";
import { readYaml } from "../documents/yaml.ts";
import { isPattern } from "../inventory/scope.ts";
import { checkConfig } from "./checks.ts";
import type { Config, Connection } from "./config.ts";
import { named } from "./notify.ts";
import { ConfigForm } from "./schema.ts";

/** Schema of a whole connection entry (without `kind`) by kind; each connector brings its own. */
export type ConnectionKinds = ReadonlyMap<string, z.ZodType>;

/**
 * Reads countersign.yaml. Throws CONFIG_INVALID with every problem as `line:col path: expected X, got Y`.
 * Paths stay as written; secret references are checked in form and not read.
 */
export function parseConfig(input: Uint8Array | string, kinds: ConnectionKinds): Config {
  const document = readYaml(input, "CONFIG_INVALID", ConfigForm);
  const problems: Problem[] = [];
  const complain = (path: readonly PropertyKey[], message: string) =>
    void problems.push(document.problem(path, message));
  const form = document.value;
  const connections = form.connections.map((entry, index): Connection => {
    const { kind, ...rest } = entry;
    const schema = kinds.get(kind);
    if (schema === undefined)
      complain(
        ["connections", index, "kind"],
        `expected ${[...kinds.keys()].join(" | ")}, got ${JSON.stringify(kind)}`,
      );
    const parsed = schema?.safeParse(rest);
    for (const issue of parsed?.error?.issues ?? [])
      complain(["connections", index, ...issue.path], issueMessage(issue, at(rest, issue.path)));
    for (const key of ["names", "paths", "roles"] as const)
      (entry[key] ?? []).forEach((pattern, at) => {
        if (!isPattern(pattern)) complain(["connections", index, key, at], "expected a pattern such as billing-*");
      });
    const scope = entry.names ?? entry.paths ?? entry.roles ?? [];
    return {
      name: entry.name,
      kind,
      environment: entry.environment,
      prod: entry.prod,
      tenant: entry.tenant ?? null,
      scope,
      settings: parsed?.data ?? {},
    };
  });
  const { clock, signIn, ...rest } = form;
  const config: Config = {
    ...rest,
    clock: clock ?? null,
    signIn: { local: signIn?.local ?? [] },
    connections,
    notify: named(form.notify),
    tickets: named(form.tickets),
  };
  checkConfig(config, complain);
  document.refuse(problems);
  return config;
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (current, part) =>
      typeof current === "object" && current !== null ? (current as Record<PropertyKey, unknown>)[part] : undefined,
    value,
  );
}
