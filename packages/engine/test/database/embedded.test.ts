import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { openClient } from "../../src/database/connect.ts";
import { type EmbeddedDatabase, startEmbedded } from "../../src/database/embedded.ts";
import { nativeFolder, prepareNative } from "../../src/database/embedded-native.ts";
import { scratchFolder } from "../store/harness.ts";

const module = fileURLToPath(new URL("../../src/database/embedded.ts", import.meta.url));
const isRoot = process.getuid?.() === 0;
const folders: string[] = [];
const servers: EmbeddedDatabase[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop("immediate");
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function place() {
  const scratch = await scratchFolder();
  folders.push(scratch);
  return { stateFolder: path.join(scratch, "state"), sharedFolder: path.join(scratch, "shared"), flush: false };
}

async function start(options: Parameters<typeof startEmbedded>[0]): Promise<EmbeddedDatabase> {
  const server = await startEmbedded(options);
  servers.push(server);
  return server;
}

const login = (server: EmbeddedDatabase, password = server.adminPassword) =>
  openClient({ address: server.address, user: "postgres", password }, "test");

async function query(server: EmbeddedDatabase, text: string): Promise<unknown[]> {
  const client = await login(server);
  try {
    return (await client.query({ text, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

/** Starts a server from a process of its own and reports its pid. */
async function startElsewhere(options: object, owner: { uid?: number; gid?: number } = {}) {
  const script = `import { startEmbedded } from ${JSON.stringify(module)};
    const server = await startEmbedded(${JSON.stringify(options)});
    console.log(JSON.stringify({ pid: server.pid, started: server.started, home: server.home, socket: server.address.host }));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: "/",
    ...owner,
  });
  const [line] = (await once(createInterface(child.stdout), "line")) as [string];
  return { child, ...(JSON.parse(line) as { pid: number; started: boolean; home: string; socket: string }) };
}

describe("the embedded server", () => {
  it("comes up with no TCP port, a private socket, durable writes and a password of its own", async () => {
    const { stateFolder, sharedFolder } = await place();
    const options = { stateFolder, sharedFolder };
    const server = await start(options);
    expect(await query(server, "show listen_addresses")).toEqual([""]);
    expect(await query(server, "show fsync")).toEqual(["on"]);
    expect((await stat(server.address.host)).mode & 0o777).toBe(0o700);
    expect(Buffer.byteLength(`${server.address.host}/.s.PGSQL.5432.lock`)).toBeLessThan(107);
    expect((await stat(path.join(options.stateFolder, "database.key"))).mode & 0o777).toBe(0o600);
    await expect(login(server, "")).rejects.toThrow(/password/);
    await expect(login(server, "postgres")).rejects.toThrow("password authentication failed");
    const files = await readdir(server.home);
    expect(files.filter((name) => name.startsWith("password") || name.startsWith("data."))).toEqual([]);
  });

  it("keeps its data and password over a clean stop", async () => {
    const options = await place();
    const first = await start(options);
    await query(first, "create table kept as select 42 as n");
    await first.stop();
    await expect(login(first)).rejects.toThrow("ENOENT");
    const second = await start(options);
    expect(second.started).toBe(true);
    expect(await query(second, "select n from kept")).toEqual([42]);
  });

  it("outlives a product that is killed, and the next start adopts it", async () => {
    const options = await place();
    const killed = await startElsewhere(options);
    const gone = once(killed.child, "exit");
    killed.child.kill("SIGKILL");
    await gone;
    const server = await start(options);
    expect(server).toMatchObject({ pid: killed.pid, started: false });
    expect(await query(server, "select 1")).toEqual([1]);
  });

  it("starts once when several processes start it at the same time", async () => {
    const options = await place();
    const started = await Promise.all([startElsewhere(options), startElsewhere(options), start(options)]);
    for (const other of started) if ("child" in other) other.child.kill("SIGKILL");
    expect(new Set(started.map((one) => one.pid)).size).toBe(1);
    expect(started.filter((one) => one.started).length).toBeLessThanOrEqual(1);
  });

  it("starts although a file says that a dead server, or some other program, is running", async () => {
    const options = await place();
    const first = await start(options);
    const data = path.join(first.home, "data");
    const file = path.join(data, "postmaster.pid");
    const kept = await readFile(file, "utf8");
    await first.stop();
    for (const pid of [4_000_000, process.pid]) {
      await writeFile(file, kept.replace(/^\d+/, String(pid)));
      await chmod(file, 0o644);
      const server = await start(options);
      expect(server.started).toBe(true);
      await server.stop();
    }
  });

  it("recovers after a crash of the server", async () => {
    const options = await place();
    const first = await start(options);
    await query(first, "create table kept as select 7 as n");
    await first.stop("immediate");
    const second = await start(options);
    expect(await query(second, "select n from kept")).toEqual([7]);
  });

  it("writes no statement and no value into its log", async () => {
    const options = await place();
    const server = await start(options);
    await expect(query(server, "select 'canary-value'::int")).rejects.toThrow("invalid input");
    await expect(query(server, "select canary_value from nowhere")).rejects.toThrow("nowhere");
    const log = await readFile(path.join(server.home, "server.log"), "utf8");
    expect(log).not.toContain("canary_value from");
  });

  it("stands in the state folder of an ordinary user, and elsewhere when the path is too long for a socket", async () => {
    const { stateFolder } = await place();
    const long = path.join(stateFolder, "x".repeat(90));
    const owner = isRoot ? { uid: 65_534, gid: 65_534 } : {};
    await mkdir(long, { recursive: true });
    for (const folder of [stateFolder, long]) if (isRoot) await chown(folder, 65_534, 65_534);
    for (const folder of [stateFolder, long]) {
      const other = await startElsewhere({ stateFolder: folder }, owner);
      expect(other).toMatchObject({ started: true, home: path.join(folder, "database") });
      const data = await stat(path.join(other.home, "data"));
      expect(data.uid).toBe(isRoot ? 65_534 : process.getuid?.());
      const gone = once(other.child, "exit");
      other.child.kill("SIGKILL");
      await gone;
      process.kill(other.pid, "SIGQUIT");
      folders.push(other.socket);
    }
  });
});

/* Root has to become somebody else and to share; an ordinary user must not have to. Each is tried by who runs the tests. */
type Trial = readonly [promise: string, keep: () => Promise<void>];
const asRoot: readonly Trial[] = [
  [
    "runs the server as postgres or nobody, with its data where that user can reach it",
    async () => {
      const options = await place();
      const server = await start(options);
      const { uid } = await stat(path.join(server.home, "data"));
      expect(uid).not.toBe(0);
      expect(path.dirname(server.home)).toBe(options.sharedFolder);
      const status = await readFile(`/proc/${server.pid}/status`, "utf8").catch(() => `Uid:\t${uid}\t`);
      expect(status).toMatch(new RegExp(`^Uid:\\s+${uid}\\s`, "m"));
    },
  ],

  [
    "copies binaries that lie under a closed folder, once",
    async () => {
      const options = await place();
      const closed = path.join(path.dirname(options.stateFolder), "closed");
      await mkdir(closed, { mode: 0o700 });
      await cp(nativeFolder(), path.join(closed, "native"), { recursive: true, verbatimSymlinks: true });
      const server = await start({ ...options, native: path.join(closed, "native") });
      expect(await query(server, "select 1")).toEqual([1]);
      const copies = async () => (await readdir(options.sharedFolder)).filter((name) => name.startsWith("native-"));
      expect(await copies()).toHaveLength(1);
      await server.stop();
      await start({ ...options, native: path.join(closed, "native") });
      expect(await copies()).toHaveLength(1);
    },
  ],

  [
    "refuses a socket or data folder that somebody else owns",
    async () => {
      const options = await place();
      const server = await start(options);
      await server.stop();
      await chown(server.home, 65_533, 65_533);
      await expect(startEmbedded(options)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
    },
  ],
];

const asOrdinaryUser: readonly Trial[] = [
  [
    "runs the server as that very user, beside its state and from the binaries where they lie",
    async () => {
      const options = await place();
      const server = await start(options);
      const { uid } = await stat(path.join(server.home, "data"));
      expect(uid).toBe(process.getuid?.());
      expect(path.dirname(server.home)).toBe(options.stateFolder);
      await expect(readdir(options.sharedFolder)).rejects.toMatchObject({ code: "ENOENT" });
      const status = await readFile(`/proc/${server.pid}/status`, "utf8").catch(() => `Uid:\t${uid}\t`);
      expect(status).toMatch(new RegExp(`^Uid:\\s+${uid}\\s`, "m"));
    },
  ],

  [
    "fails with a reason where it may not write",
    async () => {
      const { stateFolder, sharedFolder } = await place();
      await mkdir(stateFolder, { recursive: true });
      await chmod(stateFolder, 0o500);
      await expect(startEmbedded({ stateFolder, sharedFolder })).rejects.toMatchObject({ code: "EACCES" });
      await chmod(stateFolder, 0o700);
    },
  ],
];

describe(`as ${isRoot ? "root" : "an ordinary user"}`, () => {
  it.each(isRoot ? asRoot : asOrdinaryUser)("%s", (_, keep) => keep());
});

describe("library links", () => {
  it("are made when an install script was skipped, and left alone when they are there", async () => {
    const { stateFolder } = await place();
    const native = path.join(path.dirname(stateFolder), "native");
    await mkdir(path.join(native, "bin"), { recursive: true });
    await mkdir(path.join(native, "lib"));
    await writeFile(path.join(native, "lib/libx.so.1.2"), "x");
    const links = [
      { source: "native/lib/libx.so.1.2", target: "native/lib/libx.so" },
      { source: "native/lib/libx.so.1.2", target: "native/lib/libx.so.1" },
    ];
    await writeFile(path.join(native, "pg-symlinks.json"), JSON.stringify(links));
    await symlink("libx.so.1.2", path.join(native, "lib/libx.so"));
    expect(await prepareNative(native, stateFolder, null)).toBe(native);
    expect(await prepareNative(native, stateFolder, null)).toBe(native);
    expect(await readFile(path.join(native, "lib/libx.so.1"), "utf8")).toBe("x");
  });

  it("that point outside the package are refused", async () => {
    const { stateFolder } = await place();
    const native = path.join(path.dirname(stateFolder), "native");
    await mkdir(path.join(native, "bin"), { recursive: true });
    const links = [{ source: "native/lib/a", target: "native/../../etc/evil" }];
    await writeFile(path.join(native, "pg-symlinks.json"), JSON.stringify(links));
    await expect(prepareNative(native, stateFolder, null)).rejects.toMatchObject({ code: "DATABASE_UNAVAILABLE" });
  });
});
