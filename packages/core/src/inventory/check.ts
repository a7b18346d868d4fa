import type { Config, Connection } from "../config/config.ts";
import { kindOf } from "../consumer-kinds/index.ts";
import { named } from "./owners.ts";
import type { InventoryRow } from "./row.ts";
import { inScope } from "./scope.ts";

/** What of the configuration a row is checked against. */
export type ConfigScopes = Pick<Config, "tenants" | "connections">;

/** One way in which a row does not fit the configuration or the enrolled people; `code` as in validation. */
export interface RowProblem {
  readonly row: string;
  readonly code: "wrong-tenant" | "scope-refused" | "environment-mismatch" | "prod-into-nonprod" | "owner-unknown";
  readonly observed: string;
  readonly required: string;
}

interface Target {
  /** `record`, `database` or the consumer's name. */
  readonly who: string;
  readonly connection: string;
  readonly kind: string;
  readonly names: readonly string[];
  readonly environment: string;
}

/** Every place a rotation of this row writes to. */
function targetsOf(row: InventoryRow): Target[] {
  const targets: Target[] = [
    {
      who: "record",
      connection: row.record.connection,
      kind: "key-vault",
      names: [row.record.name],
      environment: row.environment,
    },
  ];
  if (row.procedure === "postgres-role-password")
    targets.push({
      who: "database",
      connection: row.connection,
      kind: "postgres",
      names: row.roles,
      environment: row.environment,
    });
  for (const consumer of row.consumers) {
    const { name: who, environment } = consumer;
    const kind = kindOf(consumer);
    if (kind.connectionKind === null) continue;
    if (!("connection" in consumer))
      targets.push({
        who,
        connection: row.record.connection,
        kind: "key-vault",
        names: [row.record.name],
        environment,
      });
    else {
      const names = [kind.scopeName(consumer)];
      targets.push({ who, connection: consumer.connection, kind: kind.connectionKind, names, environment });
    }
  }
  return targets;
}

/** Whether the value of this row is a prod value: its environment's policy says so, or its record or database stands in prod. */
export function isProdValue(row: InventoryRow, connections: readonly Connection[], policyProd: boolean): boolean {
  const source =
    row.procedure === "postgres-role-password" ? [row.record.connection, row.connection] : [row.record.connection];
  return policyProd || connections.some((connection) => source.includes(connection.name) && connection.prod);
}

/** Checks one row against connection scopes, environments and prod borders (I12) and its tenant (M20). */
export function checkRow(row: InventoryRow, config: ConfigScopes, policyProd: boolean): RowProblem[] {
  const problems: RowProblem[] = [];
  const say = (code: RowProblem["code"], required: string, observed: string) =>
    problems.push({ row: row.name, code, required, observed });
  if (!config.tenants.some((tenant) => tenant.name === row.tenant))
    say("wrong-tenant", "a tenant of the configuration", row.tenant);
  const prod = isProdValue(row, config.connections, policyProd);
  for (const target of targetsOf(row)) {
    const connection = config.connections.find((candidate) => candidate.name === target.connection);
    if (connection === undefined || connection.kind !== target.kind) {
      say(
        "scope-refused",
        `a ${target.kind} connection for ${target.who}`,
        connection === undefined ? `no connection ${target.connection}` : connection.kind,
      );
      continue;
    }
    for (const name of target.names)
      if (!inScope(name, connection.scope))
        say("scope-refused", `${target.who} inside ${connection.name} (${connection.scope.join(", ")})`, name);
    if (connection.tenant !== null && connection.tenant !== row.tenant)
      say("wrong-tenant", `${target.who} in tenant ${row.tenant}`, connection.tenant);
    if (connection.environment !== target.environment)
      say(
        "environment-mismatch",
        `${target.who} in environment ${target.environment}`,
        `${connection.name} is ${connection.environment}`,
      );
    if (prod && !connection.prod)
      say("prod-into-nonprod", `${target.who} in a prod connection`, `${connection.name} is not prod`);
  }
  return problems;
}

/** Checks all rows against the configuration and the enrolled people; an empty list is a good inventory. */
export function checkInventory(
  rows: readonly InventoryRow[],
  config: ConfigScopes,
  people: readonly { readonly person: string }[],
): RowProblem[] {
  const known = new Set(people.map((person) => person.person));
  return rows.flatMap((row) => [
    ...checkRow(row, config, false),
    ...named(row)
      .filter((owner) => !known.has(owner))
      .map(
        (owner): RowProblem => ({
          row: row.name,
          code: "owner-unknown",
          required: "an enrolled person",
          observed: owner,
        }),
      ),
  ]);
}
