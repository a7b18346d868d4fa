import { createHash } from "node:crypto";

/** Kinds of rotation that the crash tests drive; the names are the product's own. */
export const procedures = ["entra-client-secret", "postgres-role-password", "entra-replace-foreign"] as const;
export type ProcedureName = (typeof procedures)[number];

/** Letter of their rows' names. */
export const letters = {
  "entra-client-secret": "e",
  "postgres-role-password": "p",
  "entra-replace-foreign": "f",
} as const satisfies Readonly<Record<ProcedureName, string>>;

/** Whether the row is an application; otherwise it is a pair of database roles. */
export function isEntra({ procedure }: Pick<Row, "procedure">): boolean {
  return procedure !== "postgres-role-password";
}

/** Whether its request names a secret that somebody else has made. */
export function isNamed({ procedure }: Pick<Row, "procedure">): boolean {
  return procedure === "entra-replace-foreign";
}

/** The program that lives on that secret. */
export function programOf({ name }: Pick<Row, "name">): string {
  return `${name}-program`;
}

/**
 * How a rotation goes: `through` to its end, or `back`, because the vault of its partner refuses the copy
 * (`entra-client-secret`), or because a person asks for it in the overlap (the others).
 */
export const courses = ["through", "back"] as const;
export type Course = (typeof courses)[number];

/** One rotation is made with each row: a fresh application, or a fresh pair of roles. */
export interface Row {
  readonly name: string;
  readonly procedure: ProcedureName;
  readonly course: Course;
  /** Other consumers than the procedure's usual ones. */
  readonly consumers?: readonly ConsumerKind[];
  /** From 1: the row has a tenant and connections of its own with callers of their own, so that also what is done for all rows is told apart. */
  readonly seat?: number | undefined;
}

/** A connection's or caller's name as the row's seat has it. */
export function seated(name: string, seat: number | undefined): string {
  return seat === undefined ? name : `${name}-${seat}`;
}

/** The tenant's id as the row's seat names it. */
export function tenantIdOf(id: string, seat: number | undefined): string {
  return seat === undefined ? id : `${"0".repeat(8)}-0000-4000-8000-${String(seat).padStart(12, "0")}`;
}

/** The administrator of roles that the row's connection signs in as. */
export function rotatorOf({ seat }: Pick<Row, "seat">): string {
  return seated("rotator", seat).replace("-", "_");
}

/** Seats of these rows, with the usual one first. */
export function seatsOf(rows: readonly Row[]): readonly (number | undefined)[] {
  return [...new Set([undefined, ...rows.map(({ seat }) => seat)])];
}

/** Kinds of consumers that a row may have. */
export type ConsumerKind = keyof typeof addresses;

/** What each kind is called in a consumer's name, and the address that it signs in from. */
const addresses = {
  latest: ["web", "10.1.0.1"],
  pinned: ["batch", "10.1.0.2"],
  copied: ["partner", "10.1.0.3"],
  "connection-file": ["api", "10.1.0.4"],
  pipeline: ["pipeline", "10.1.0.5"],
  setting: ["setting", "10.1.0.6"],
  reference: ["reference", "10.1.0.7"],
} as const;

const usualConsumers = {
  "entra-client-secret": ["latest", "pinned", "copied"],
  "postgres-role-password": ["connection-file"],
  // Others are written as in a rotation of entra-client-secret, by the same steps.
  "entra-replace-foreign": ["latest"],
} as const satisfies Readonly<Record<ProcedureName, readonly ConsumerKind[]>>;

/** Rows that go back have the numbers from here on. */
const backFrom = 700;

/** `count` rows of one procedure, numbered. */
export function rowsOf(procedure: ProcedureName, count: number, course: Course = "through"): Row[] {
  return Array.from({ length: count }, (_, index) => rowOf(procedure, course, index));
}

/** The row with a number. Every name has the same length, so that none is part of another. */
export function rowOf(procedure: ProcedureName, course: Course, index: number): Row {
  return { name: rowName(letters[procedure], (course === "back" ? backFrom : 0) + index), procedure, course };
}

/** A row's name: one letter (`e`, `p`, `f`, or `c` for rows with consumers of their own) and its number. */
export function rowName(letter: string, index: number): string {
  return `${letter}${String(index).padStart(4, "0")}`;
}

/** The variable group that belongs to a row, and its variable there. */
export function groupOf(row: string): number {
  return Number(row.slice(1)) + 1;
}

export function variableOf(row: string): string {
  return `SECRET_${row.toUpperCase()}`;
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

/** A program that lives on a row's secret. */
export interface Consumer {
  readonly name: string;
  readonly kind: ConsumerKind;
  readonly address: string;
}

/** Consumers of one row with the address each signs in from: what the inventory declares and the simulator hosts. */
export function consumersOf({ name, procedure, consumers = usualConsumers[procedure] }: Row): readonly Consumer[] {
  return consumers.map((kind) => ({ name: `${name}-${addresses[kind][0]}`, kind, address: addresses[kind][1] }));
}
