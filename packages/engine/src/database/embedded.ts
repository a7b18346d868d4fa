import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { chmod, chown, mkdir, readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "@countersign/core";
import pg from "pg";
import { type DatabaseAddress, silenceClient } from "./connect.ts";
import { chooseHome, databaseUser, type Owner, socketFolder } from "./embedded-home.ts";
import { nativeFolder, prepareNative } from "./embedded-native.ts";
import { databaseKey, rolePassword } from "./passwords.ts";

const startDeadlineMs = 30_000;
const stopDeadlineMs = 30_000;
const logBytesMax = 4 * 1024 * 1024;
const logCheckMs = 60_000;
const port = 5432;

/** The server the product brings along, up and reachable. */
export interface EmbeddedDatabase {
  /** Where to connect; the database is `postgres` until users.ts has made ours. */
  readonly address: DatabaseAddress;
  readonly adminPassword: string;
  /** Process id of the server. */
  readonly pid: number;
  /** False when a server left running by an earlier process was adopted. */
  readonly started: boolean;
  readonly home: string;
  /** Stops the server: `fast` ends sessions and checkpoints; `immediate` is a crash, for tests. */
  stop(mode?: "fast" | "immediate"): Promise<void>;
  /** Lets go without stopping it: another process goes on using the server. */
  detach(): void;
}

/**
 * Starts PostgreSQL from the binaries of the optional package, or adopts the one an earlier process left running.
 * As root the server runs as `postgres` or `nobody`; no host user is made. No TCP port is opened: a unix socket in a
 * folder of mode 0700 and SCRAM with a password derived from a random key in `stateFolder` (mode 0600) are the only way in.
 * Errors: DATABASE_UNAVAILABLE.
 */
export async function startEmbedded(options: {
  readonly stateFolder: string;
  /** Only for tests: binaries from elsewhere. */
  readonly native?: string;
  /** As root: where data goes when the database user cannot reach the state folder. */
  readonly sharedFolder?: string;
  /**
   * Only for tests: false leaves it to the operating system when to write to the disk. What was committed outlives a
   * killed server as ever, but not a machine that loses power.
   */
  readonly flush?: boolean;
}): Promise<EmbeddedDatabase> {
  await mkdir(options.stateFolder, { recursive: true, mode: 0o700 });
  const owner = await databaseUser();
  const home = await chooseHome(options.stateFolder, owner, options.sharedFolder ?? "/var/lib/countersign");
  const adminPassword = rolePassword(await databaseKey(options.stateFolder), "postgres");
  const data = path.join(home, "data");
  const socket = await socketFolder(home, owner);
  const native = await prepareNative(options.native ?? nativeFolder(), path.dirname(home), owner);
  const address: DatabaseAddress = { host: socket, port, database: "postgres", tls: null };
  const place: Place = { home, data, socket, native, owner, address, adminPassword, flush: options.flush ?? true };

  await initialise(place);
  let started = false;
  let pid = await findServer(place);
  if (pid === null) {
    await launch(place);
    started = true;
    pid = await findServer(place);
  }
  if (pid === null) throw unavailable("the database server did not come up", await logTail(place));
  return handle(place, pid, started);
}

interface Place {
  readonly home: string;
  readonly data: string;
  readonly socket: string;
  readonly native: string;
  readonly owner: Owner | null;
  readonly address: DatabaseAddress;
  readonly adminPassword: string;
  readonly flush: boolean;
}

function handle(place: Place, pid: number, started: boolean): EmbeddedDatabase {
  const timer = setInterval(() => void capLog(place), logCheckMs).unref();
  return {
    address: place.address,
    adminPassword: place.adminPassword,
    pid,
    started,
    home: place.home,
    detach: () => clearInterval(timer),
    async stop(mode = "fast") {
      clearInterval(timer);
      if ((await serverPid(place)) !== pid) return;
      process.kill(pid, mode === "fast" ? "SIGINT" : "SIGQUIT");
      const deadline = performance.now() + stopDeadlineMs;
      while (isAlive(pid)) {
        if (performance.now() > deadline) throw unavailable("the database server did not stop", "");
        await delay(20);
      }
    },
  };
}

/** Makes the data folder once. It appears under its name only when complete, so a crash in between leaves nothing half-made. */
async function initialise(place: Place): Promise<void> {
  if (await exists(path.join(place.data, "PG_VERSION"))) return;
  const suffix = randomBytes(4).toString("hex");
  const fresh = `${place.data}.${suffix}`;
  const passwordFile = path.join(place.home, `password.${suffix}`);
  try {
    await writeFile(passwordFile, place.adminPassword, { mode: 0o600, flag: "wx" });
    if (place.owner) await chown(passwordFile, place.owner.uid, place.owner.gid);
    const run = await execute(place, "initdb", [
      ...["-D", fresh, "-U", "postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`, "--encoding=UTF8"],
      ...["--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"],
      ...(place.flush ? [] : ["--no-sync"]),
    ]);
    if (run.code !== 0) throw unavailable("initdb failed", run.output);
    await rename(fresh, place.data).catch(async (error: NodeJS.ErrnoException) => {
      // Another process was faster; its folder is as good as ours.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(passwordFile, { force: true });
    await rm(fresh, { recursive: true, force: true });
  }
}

/** The process id of a server that answers as ours; waits while one is coming up or going down. */
async function findServer(place: Place): Promise<number | null> {
  const deadline = performance.now() + startDeadlineMs;
  for (;;) {
    const pid = await serverPid(place);
    if (pid === null) return null;
    if (await answersAsOurs(place)) return pid;
    // A stale file whose number now belongs to another program: the server itself sorts that out when started.
    if (!isAlive(pid) || !(await looksLikePostgres(pid))) return null;
    if (performance.now() > deadline)
      throw unavailable("a database server runs but does not answer", await logTail(place));
    await delay(20);
  }
}

async function launch(place: Place): Promise<void> {
  await capLog(place);
  const log = openSync(logFile(place), "a", 0o600);
  const settings = {
    listen_addresses: "",
    unix_socket_directories: place.socket,
    unix_socket_permissions: "0700",
    port: String(port),
    fsync: place.flush ? "on" : "off",
    shared_buffers: "64MB",
    max_connections: "120",
    jit: "off",
    timezone: "UTC",
    // Statements and parameters never reach the log.
    log_statement: "none",
    log_min_messages: "warning",
    log_min_error_statement: "panic",
    log_parameter_max_length_on_error: "0",
  };
  const args = ["-D", place.data, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])];
  // Detached: a signal to our process group must not take the database along, and a killed product leaves it running.
  const child = spawn(path.join(place.native, "bin/postgres"), args, {
    detached: true,
    stdio: ["ignore", log, log],
    cwd: place.data,
    env: serverEnvironment(),
    ...place.owner,
  });
  closeSync(log);
  let ended = false;
  child.once("error", () => {
    ended = true;
  });
  child.once("exit", () => {
    ended = true;
  });
  child.unref();
  const deadline = performance.now() + startDeadlineMs;
  while (!(await answersAsOurs(place))) {
    // It ends at once when another process has just started one on the same folder; findServer then adopts that one.
    if (ended) return;
    if (performance.now() > deadline) throw unavailable("the database server did not come up", await logTail(place));
    await delay(20);
  }
}

async function answersAsOurs(place: Place): Promise<boolean> {
  const client = silenceClient(
    new pg.Client({
      host: place.socket,
      port,
      user: "postgres",
      password: place.adminPassword,
      database: "postgres",
      connectionTimeoutMillis: 2_000,
    }),
  );
  try {
    await client.connect();
    const { rows } = await client.query<{ data_directory: string }>("show data_directory");
    return rows[0]?.data_directory === place.data;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function serverPid(place: Place): Promise<number | null> {
  const text = await readFile(path.join(place.data, "postmaster.pid"), "utf8").catch(() => "");
  const [first, folder] = text.split("\n");
  const pid = Number(first);
  return Number.isSafeInteger(pid) && pid > 1 && folder === place.data ? pid : null;
}

/** On Linux, whether the process is a postgres; elsewhere there is no cheap way to tell, so it is assumed. */
async function looksLikePostgres(pid: number): Promise<boolean> {
  if (process.platform !== "linux") return true;
  return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).startsWith("postgres");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function execute(place: Place, name: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  const child = spawn(path.join(place.native, "bin", name), args, {
    stdio: ["ignore", "pipe", "pipe"],
    cwd: place.home,
    env: serverEnvironment(),
    ...place.owner,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-2_000);
    });
  }
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(unavailable(`${name} cannot be run`, error.message)));
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Nothing of ours leaks into the server: our environment may hold secrets. */
function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
}

function logFile(place: Place): string {
  return path.join(place.home, "server.log");
}

/** Empties a log that has grown too long; the server's descriptor appends, so it goes on at the new end. */
async function capLog(place: Place): Promise<void> {
  const size = await stat(logFile(place)).then(
    (found) => found.size,
    () => 0,
  );
  if (size > logBytesMax) await truncate(logFile(place), 0);
  if (size > 0) await chmod(logFile(place), 0o600);
}

async function logTail(place: Place): Promise<string> {
  return (await readFile(logFile(place), "utf8").catch(() => "")).slice(-500);
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}

function unavailable(what: string, output: string): CountersignError {
  return new CountersignError("DATABASE_UNAVAILABLE", `expected an embedded database, got: ${what} ${output}`.trim());
}
