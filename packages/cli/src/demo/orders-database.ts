import { randomBytes } from "node:crypto";
import { startEmbedded } from "@countersign/engine";
import pg from "pg";

/** A real PostgreSQL server whose roles the demo rotates; not the product's own database. */
export interface OrdersDatabase {
  /** Folder of its unix socket. */
  readonly host: string;
  readonly port: number;
  readonly rotator: { readonly user: string; readonly password: string };
  /** Set only when the server was made just now. */
  readonly initial: { readonly user: string; readonly password: string } | null;
  stop(): Promise<void>;
}

const roles = ["orders_a", "orders_b"] as const;

/** Starts it, or finds the one that was left running, and makes its roles once. */
export async function startOrders(stateFolder: string): Promise<OrdersDatabase> {
  const server = await startEmbedded({ stateFolder });
  const admin = new pg.Client({
    host: server.address.host,
    port: server.address.port,
    user: "postgres",
    password: server.adminPassword,
    database: "postgres",
  });
  await admin.connect();
  try {
    const rotator = {
      user: "rotator",
      password: `rotator-${server.adminPassword.slice(0, 24).replaceAll(/[^A-Za-z0-9]/g, "x")}`,
    };
    const known = await admin.query("select from pg_roles where rolname = 'rotator'");
    let initial: OrdersDatabase["initial"] = null;
    if (known.rowCount === 0) {
      initial = { user: roles[0], password: randomBytes(24).toString("hex") };
      await admin.query(
        `create role rotator login createrole password ${admin.escapeLiteral(rotator.password)} in role pg_signal_backend, pg_read_all_stats`,
      );
      await admin.query("create role orders_owner nologin");
      await admin.query(
        `create role ${roles[0]} login password ${admin.escapeLiteral(initial.password)} in role orders_owner`,
      );
      await admin.query(`create role ${roles[1]} nologin in role orders_owner`);
      for (const role of roles)
        await admin.query(`grant ${role} to rotator with admin option, inherit false, set false`);
      await admin.query("create database orders owner orders_owner");
    }
    return { host: server.address.host, port: server.address.port, rotator, initial, stop: () => server.stop() };
  } finally {
    await admin.end();
  }
}
