import { execFile, spawn } from "node:child_process";
import { chown, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";

const run = promisify(execFile);

/** A real PostgreSQL from PATH on a loopback port of its own, as an unprivileged user. */
export async function startPostgres() {
  const folder = await mkdtemp(join(tmpdir(), "countersign-pg-"));
  const asRoot = process.getuid?.() === 0;
  const ids = asRoot ? { uid: 65_534, gid: 65_534 } : {};
  if (asRoot) await chown(folder, 65_534, 65_534);
  const data = join(folder, "data");
  const passwordFile = join(folder, "password");
  await writeFile(passwordFile, "superuser-password");
  if (asRoot) await chown(passwordFile, 65_534, 65_534);
  const bin = await binaries();
  await run(
    join(bin, "initdb"),
    ["-D", data, "-U", "postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`, "--no-sync"],
    { ...ids, cwd: folder },
  );
  const port = await freePort();
  const server = spawn(
    join(bin, "postgres"),
    [
      "-D",
      data,
      "-p",
      String(port),
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      `unix_socket_directories=${folder}`,
      "-c",
      "fsync=off",
      "-c",
      "log_statement=all",
    ],
    {
      ...ids,
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let log = "";
  server.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  const query = async (sql: string, user = "postgres", password = "superuser-password", database = "postgres") => {
    const client = new pg.Client({ host: "127.0.0.1", port, user, password, database });
    client.on("error", () => undefined);
    await client.connect();
    try {
      return (await client.query(sql)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  };
  await ready(() => query("select 1"));
  return {
    port,
    query,
    log: () => log,
    hba: (text: string) => writeFile(join(data, "pg_hba.conf"), text).then(() => query("select pg_reload_conf()")),
    hbaText: () => readFile(join(data, "pg_hba.conf"), "utf8"),
    /** A session that stays, as a pool's would. */
    async session(user: string, password: string) {
      const client = new pg.Client({ host: "127.0.0.1", port, user, password, database: "postgres" });
      client.on("error", () => undefined);
      await client.connect();
      return client;
    },
    async close() {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGINT");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export type PostgresServer = Awaited<ReturnType<typeof startPostgres>>;

async function binaries(): Promise<string> {
  const { stdout } = await run("sh", ["-c", 'dirname "$(readlink -f "$(command -v initdb)")"']);
  return stdout.trim();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ready(look: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await look();
      return;
    } catch (error) {
      if (tries > 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
