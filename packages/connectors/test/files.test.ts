import { chmod, chown, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readText, replaceText } from "../src/files/atomic.ts";
import { confine } from "../src/files/confine.ts";
import { parseConnection } from "../src/files/connection-file.ts";
import { relativePath } from "../src/files/schema.ts";
import { matchesAny } from "../src/kit/glob.ts";
import { jumpingClock } from "./support.ts";

let root: string;
let outside: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "countersign-root-"));
  outside = await mkdtemp(join(tmpdir(), "countersign-outside-"));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
  await rm(outside, { recursive: true, force: true });
});
const scope = (paths: string[]) => ({ name: "files", environment: "dev", prod: false, root, paths });
const leave = () => ({ clock: jumpingClock(), signal: new AbortController().signal });

describe("a path", () => {
  it.each(["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "a\\b", "", "a/", "x\0y", ".."])(
    "%j is no path of ours",
    (path) => {
      expect(relativePath.safeParse(path).success).toBe(false);
    },
  );

  it("outside the patterns, behind a link, or not a plain file is refused", async () => {
    await writeFile(join(outside, "x.ref"), "secret of others");
    await symlink(outside, join(root, "link"));
    await symlink(join(outside, "x.ref"), join(root, "x.ref"));
    await mkdir(join(root, "folder.ref"));
    for (const path of ["link/x.ref", "x.ref", "folder.ref"]) {
      await expect(confine(scope(["*.ref", "*/*.ref"]), path)).rejects.toMatchObject({ code: "SCOPE_REFUSED" });
    }
    await expect(confine(scope(["billing/*.ref"]), "other/x.ref")).rejects.toMatchObject({ code: "SCOPE_REFUSED" });
    await expect(confine(scope(["*/x.ref"]), "missing/x.ref")).rejects.toMatchObject({ code: "OUTSIDE_NOT_FOUND" });
    expect(await confine(scope(["*.ref"]), "fresh.ref")).toMatch(/fresh\.ref$/);
  });

  it("a star stays within one name, and every other sign stands for itself", () => {
    expect(matchesAny("billing/a.ref", ["billing/*.ref"])).toBe(true);
    expect(matchesAny("billing/deep/a.ref", ["billing/*.ref"])).toBe(false);
    expect(matchesAny("billingXa", ["billing.a"])).toBe(false);
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(matchesAny(text, [text.replaceAll("*", "")])).toBe(!text.includes("*"));
      }),
    );
  });
});

describe("replacing a file", () => {
  it("keeps mode and owner, leaves nothing beside it, and a reader sees old or new, never half", async () => {
    const file = join(root, "x.ref");
    const texts = ["a".repeat(50_000), "b".repeat(50_000)];
    await writeFile(file, texts[0] ?? "");
    await chmod(file, 0o640);
    let reading = true;
    const reader = (async () => {
      while (reading) expect(texts).toContain(await readFile(file, "utf8"));
    })();
    for (let n = 0; n < 20; n += 1) await replaceText(leave(), file, texts[n % 2] ?? "");
    reading = false;
    await reader;
    expect((await stat(file)).mode & 0o777).toBe(0o640);
    expect(await readdir(root)).toEqual(["x.ref"]);
  });

  it("changes nothing when the lease is lost, and a leftover of a crash is overwritten, not followed", async () => {
    const file = join(root, "x.ref");
    await writeFile(file, "old");
    const lost = {
      ...leave(),
      assertAlive: () => {
        throw new Error("lost");
      },
    };
    await expect(replaceText(lost, file, "new")).rejects.toThrow("lost");
    expect(await readText(file)).toBe("old");
    expect(await readdir(root)).toEqual(["x.ref"]);
    await writeFile(join(outside, "victim"), "untouched");
    await symlink(join(outside, "victim"), join(root, ".x.ref.countersign-new"));
    await replaceText(leave(), file, "new");
    expect(await readFile(join(outside, "victim"), "utf8")).toBe("untouched");
    expect((await lstat(file)).isFile()).toBe(true);
    expect(await readText(join(root, "missing"))).toBeNull();
  });

  it("says that it may stand once it is in place, also when the folder cannot be synced, and not when it was refused", async () => {
    const file = join(root, "x.ref");
    await writeFile(file, "old");
    const noted: string[] = [];
    const replace = (text: string) =>
      replaceText({ ...leave(), effectMayStand: () => void noted.push(text) }, file, text);
    await replace("first");
    // For root no folder is closed: somebody else does it then.
    const nobody = 65_534;
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) for (const path of [root, file]) await chown(path, nobody, process.getegid?.() ?? 0);
    if (isRoot) process.seteuid?.(nobody);
    try {
      await chmod(root, 0o300);
      await expect(replace("second")).rejects.toMatchObject({ code: "OUTSIDE_FORBIDDEN" });
      expect(await readText(file)).toBe("second");
      await chmod(root, 0o500);
      await expect(replace("third")).rejects.toMatchObject({ code: "OUTSIDE_FORBIDDEN" });
      await chmod(root, 0o700);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    expect(await readText(file)).toBe("second");
    expect(await readdir(root)).toEqual(["x.ref"]);
    expect(noted).toEqual(["first", "second"]);
  });
});

it("a file of another form is no connection file", () => {
  for (const text of ["", "{}", "[]", "null", '{"host":"h","database":"d","user":"u"}', "PGHOST=x"]) {
    expect(parseConnection("a.json", text)).toBeNull();
    expect(parseConnection("a.env", text)).toBeNull();
  }
});
