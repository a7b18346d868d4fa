import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { startEmbedded } from "@countersign/engine";
import pg from "pg";
import { isEntra, type Row, rolesOf, rotatorOf, workDatabase } from "./names.ts";

/** A real PostgreSQL server: one database of the product, one whose roles are rotated. */
export interface WorkServer {
  /** Folder of its unix socket, and its port. */
  readonly host: string;
  readonly port: number;
  /** Administrator's address of the product's database, as DATABASE_URL has it. */
  readonly productUrl: string;
  /** Administrator of the roles; a row's seat may have another with the same password. */
  readonly rotator: { readonly user: string; readonly password: string };
  /** Password that each row's first role has at the start. */
  readonly initial: ReadonlyMap<string, string>;
  /** An administrator's connections to the product's database; they outlive every crash of the product. */
  readonly admin: pg.Pool;
  /** The address that they go to. */
  readonly login: Login;
  /** Which of these roles may log in now. */
  logins(roles: readonly string[]): Promise<string[]>;
  /** Whether a role signs in with this password. */
  signsIn(user: string, password: string): Promise<boolean>;
  stop(): Promise<void>;
}

/** The product's database as its administrator reaches it. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

const productDatabase = "countersign";
/** What is looked at at the same time. */
const connectionsMax = 4;

/** Starts a server of its own for one lane and makes the roles of every PostgreSQL row. */
export async function startServer(stateFolder: string, rows: readonly Row[]): Promise<WorkServer> {
  const server = await startEmbedded({ stateFolder });
  const stop = async () => {
    await server.stop();
    await rm(server.home, { recursive: true, force: true });
  };
  const login = {
    host: server.address.host,
    port: server.address.port,
    user: "postgres",
    password: server.adminPassword,
  };
  const first = new pg.Client({ ...login, database: "postgres" });
  try {
    await first.connect();
    const rotator = { user: "rotator", password: randomBytes(24).toString("hex") };
    for (const user of new Set([rotator.user, ...rows.map(rotatorOf)]))
      await first.query(
        `create role ${user} login createrole password '${rotator.password}' in role pg_signal_backend, pg_read_all_stats`,
      );
    await first.query("create role orders_owner nologin");
    const initial = new Map<string, string>();
    for (const row of rows.filter((one) => !isEntra(one))) {
      const password = randomBytes(24).toString("hex");
      initial.set(row.name, password);
      const [a, b] = rolesOf(row.name);
      await first.query(
        `create role ${a} login password '${password}' in role orders_owner; create role ${b} nologin in role orders_owner;
         grant ${a}, ${b} to ${rotatorOf(row)} with admin option, inherit false, set false`,
      );
    }
    await first.query(`create database ${workDatabase} owner orders_owner`);
    await first.query(`create database ${productDatabase}`);
    await first.end();
    const own = { ...login, database: productDatabase };
    const admin = new pg.Pool({ ...own, max: connectionsMax });
    // One that breaks while nobody uses it is replaced by the next query.
    admin.on("error", () => undefined);
    return {
      host: login.host,
      port: login.port,
      productUrl: `postgres://postgres:${encodeURIComponent(login.password)}@localhost:${login.port}/${productDatabase}?host=${encodeURIComponent(login.host)}`,
      rotator,
      initial,
      admin,
      login: own,
      async logins(roles) {
        const { rows: found } = await admin.query<{ rolname: string }>(
          "select rolname from pg_roles where rolcanlogin and rolname = any ($1)",
          [roles],
        );
        return found.map((row) => row.rolname);
      },
      async signsIn(user, password) {
        const client = new pg.Client({ host: login.host, port: login.port, database: workDatabase, user, password });
        try {
          await client.connect();
          return true;
        } catch (error) {
          // Invalid password, or a role that may not log in.
          if (error instanceof pg.DatabaseError && error.code?.startsWith("28") === true) return false;
          throw error;
        } finally {
          await client.end().catch(() => {});
        }
      },
      async stop() {
        await admin.end().catch(() => {});
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
