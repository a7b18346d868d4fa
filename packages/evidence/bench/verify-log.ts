import { spawnSync } from "node:child_process";
import { closeSync, createReadStream, mkdtempSync, openSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Frontier, frameEntry, fromBase64, leafHash, readEntryFrames, toBase64, verifyLog } from "../src/index.ts";

/*
 * Verifies a generated log offline and prints time and memory against the bar: 1,000,000 entries in under 10 s and 200 MB.
 * Usage: node packages/evidence/bench/verify-log.ts [entries]
 * The log is generated here and verified in a process of its own, so that its memory is only the verifier's.
 */

const BAR = { seconds: 10, megabytes: 200 };
const [first = "1000000", path, root] = process.argv.slice(2);
const entries = Number(first);
if (path !== undefined && root !== undefined) await verify(path, root);
else generate();

function generate(): void {
  const dir = mkdtempSync(join(tmpdir(), "verify-log-"));
  try {
    const file = join(dir, "log");
    const frontier = new Frontier();
    const fd = openSync(file, "w");
    let buffered: Uint8Array[] = [];
    for (let i = 0; i < entries; i++) {
      const entry = Buffer.from(entryText(i));
      frontier.append(leafHash(entry));
      buffered.push(frameEntry(entry));
      if (buffered.length < 4096 && i < entries - 1) continue;
      writeSync(fd, Buffer.concat(buffered));
      buffered = [];
    }
    closeSync(fd);
    const args = [fileURLToPath(import.meta.url), String(entries), file, toBase64(frontier.root())];
    process.exitCode = spawnSync(process.execPath, args, { stdio: "inherit" }).status ?? 1;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function verify(file: string, expected: string): Promise<void> {
  const checkpoint = { origin: "bench", size: entries, root: fromBase64(expected, "a root") };
  const start = performance.now();
  const log = await verifyLog(readEntryFrames(createReadStream(file, { highWaterMark: 1 << 18 })), checkpoint);
  const seconds = (performance.now() - start) / 1000;
  const megabytes = process.resourceUsage().maxRSS / 1024;
  const met = seconds < BAR.seconds && megabytes < BAR.megabytes;
  const size = (statSync(file).size / 1e6).toFixed(0);
  console.log(
    `${log.size} entries, ${size} MB: ${seconds.toFixed(2)} s, ${megabytes.toFixed(0)} MB peak RSS ` +
      `(bar: < ${BAR.seconds} s, < ${BAR.megabytes} MB: ${met ? "met" : "NOT met"})`,
  );
  process.exitCode = met ? 0 : 1;
}

/** An entry of the usual size (about 540 bytes). */
function entryText(i: number): string {
  const hex = i.toString(16).padStart(16, "0");
  return (
    `{"at":"2026-11-01T08:00:00.000Z","data":{"attempt":1,"build":"countersign-0.1.0","call":"application.addPassword",` +
    `"connector":{"id":"entra","version":"0.1.0"},"direction":"do","error":null,"facts":{"status":200},` +
    `"objectIds":{"keyId":"aaaaaaaa-0000-4000-8000-${hex.slice(4)}"},"outcome":"done","requestIds":["${hex}"],` +
    `"step":"create","verb":"entra.add-password@1","verified":null},"prevRunLeaf":"${hex.repeat(4)}",` +
    `"run":"run_01k9zzzzzz0123456789abcdef","runSeq":${i % 20},"salt":"AAAAAAAAAAAAAAAAAAAAAA","type":"step.outcome","v":1}`
  );
}
