import { createHash } from "node:crypto";

/** Kinds of rotation that the crash tests drive; the names are the product's own. */
export const procedures = ["entra-client-secret", "postgres-role-password"] as const;
export type ProcedureName = (typeof procedures)[number];

/**
 * How a rotation goes: `through` to its end, or `back`, because the vault of its partner refuses the copy
 * (`entra-client-secret`), or because a person asks for it in the overlap (`postgres-role-password`).
 */
export const courses = ["through", "back"] as const;
export type Course = (typeof courses)[number];

/** One rotation is made with each row: a fresh application, or a fresh pair of roles. */
export interface Row {
  readonly name: string;
  readonly procedure: ProcedureName;
  readonly course: Course;
}

/** Rows that go back have the numbers from here on. */
const backFrom = 700;

/** `count` rows of one procedure, numbered. Every name has the same length, so that none is part of another. */
export function rowsOf(procedure: ProcedureName, count: number, course: Course = "through"): Row[] {
  const letter = procedure === "entra-client-secret" ? "e" : "p";
  const from = course === "back" ? backFrom : 0;
  return Array.from({ length: count }, (_, index) => ({
    name: `${letter}${String(from + index).padStart(3, "0")}`,
    procedure,
    course,
  }));
}

/** The two login roles of a PostgreSQL row. */
export function rolesOf(row: string): readonly [string, string] {
  return [`${row}_a`, `${row}_b`];
}

/** The database whose roles are rotated, as the simulator's proxy names it. */
export const workDatabase = "orders";
export const vaults = { main: "main", partner: "partner" } as const;

/** Who acts: one asks, two approve. */
export const people = [
  { login: "ada", name: "Ada", roles: ["app-owner"] },
  { login: "ben", name: "Ben", roles: ["platform"] },
  { login: "cleo", name: "Cleo", roles: ["security"] },
] as const;
export type Login = (typeof people)[number]["login"];

/** Opaque id of a person. */
export function personId(login: Login): string {
  return `p_${createHash("sha256").update(`crash:${login}`).digest("hex").slice(0, 16)}`;
}

/** Consumers of one row with the address each signs in from: what the inventory declares and the simulator hosts. */
export function consumersOf({ name, procedure }: Row): readonly {
  readonly name: string;
  readonly kind: "latest" | "pinned" | "copied" | "connection-file";
  readonly address: string;
}[] {
  return procedure === "entra-client-secret"
    ? [
        { name: `${name}-web`, kind: "latest", address: "10.1.0.1" },
        { name: `${name}-batch`, kind: "pinned", address: "10.1.0.2" },
        { name: `${name}-partner`, kind: "copied", address: "10.1.0.3" },
      ]
    : [{ name: `${name}-api`, kind: "connection-file", address: "10.1.0.4" }];
}
