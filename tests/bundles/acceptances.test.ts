import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  FILES,
  type Json,
  canonicalBytes,
  contextFile,
  contextProofFile,
  digestOf,
  formatProof,
  formatSums,
  inclusionProof,
  leafHash,
  makeBundle,
  writeTrust,
  writeZip,
} from "@countersign/evidence";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { LIVES, OWNER, PLATFORM, inputOf, keysOf, trustFileOf } from "./builder.ts";
import { compare, needsPython } from "./second.ts";

/* An acceptance is of no run. One that is put among the papers of a run is refused, and one that is no acceptance as well. */

let root = "";
let made = 0;
let trustFile = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "acceptances-"));
  trustFile = join(root, "trust.json");
  writeFileSync(trustFile, writeTrust(trustFileOf(keysOf("home"))));
});
afterAll(() => rmSync(root, { recursive: true }));

const asked = {
  acceptance: 7,
  code: "long-lived",
  credential: "k1",
  object: "o1",
  observed: "730 days",
  person: OWNER,
  reasonDigest: digestOf(new TextEncoder().encode("the vendor replaces it in spring")),
  tenant: "contoso",
  until: "2027-03-01T00:00:00.000Z",
};
const { until: _, ...forEver } = asked;

/** What both verifiers say of a run in whose log such an entry stands, and in whose papers it was put; else only in the log. */
async function said(type: string, data: Record<string, Json>, isAmongPapers = true) {
  const run = await LIVES.blocked();
  const { log } = run;
  const place = { prevRunLeaf: null, run: null, runSeq: null };
  const bytes = canonicalBytes({ at: log.now(), data, salt: "AAAAAAAAAAAAAAAAAAAAAA", type, v: 1, ...place });
  const index = log.tree.append(leafHash(bytes));
  log.entries.push({ index, bytes });
  log.drafts.push({ at: log.now(), type: "service.stopped", data: { role: "executor", worker: "w1" }, run: null });
  const input = await inputOf(run);
  const files = new Map(makeBundle(input));
  if (isAmongPapers) {
    const at = input.context.length;
    files.set(contextFile(at), bytes);
    const hashes = inclusionProof(input.tree, index, log.size);
    files.set(contextProofFile(at), formatProof({ index, hashes }, input.checkpoint));
    files.set(FILES.sums, formatSums(files));
  }
  const path = join(root, `${made++}.zip`);
  writeFileSync(path, writeZip(files));
  const { verdict, code, differences } = await compare(path, trustFile);
  expect(differences).toEqual([]);
  return [verdict, code];
}

describe("an acceptance, for both verifiers", () => {
  beforeEach(needsPython);
  test("that stands in the log beside a run changes nothing for that run", async () => {
    expect(await said("acceptance.asked", asked, false)).toEqual(["proven", null]);
  });

  test.each<[string, Record<string, Json>]>([
    ["acceptance.asked", asked],
    ["acceptance.confirmed", { acceptance: 7, askedBy: OWNER, person: PLATFORM }],
    ["acceptance.expired", { acceptance: 7 }],
    ["acceptance.withdrawn", { acceptance: 7, person: OWNER }],
  ])("%s is known, and no paper of a run", async (type, data) => {
    expect(await said(type, data)).toEqual(["refused", "context"]);
  });

  test.each<[string, string, Record<string, Json>]>([
    ["confirmed by the one who asked", "acceptance.confirmed", { acceptance: 7, askedBy: OWNER, person: OWNER }],
    ["confirmed without saying who had asked", "acceptance.confirmed", { acceptance: 7, person: PLATFORM }],
    ["of a role and of no person", "acceptance.confirmed", { acceptance: 7, askedBy: OWNER, person: "security" }],
    ["for ever", "acceptance.asked", forEver],
    ["until a day that does not exist", "acceptance.asked", { ...asked, until: "2027-02-30T00:00:00.000Z" }],
    ["with the reason itself in the log", "acceptance.asked", { ...asked, reason: "the vendor" }],
    ["that was never asked for by anybody", "acceptance.asked", { ...asked, person: "system:scanner" }],
    ["ended by a person as if its time were over", "acceptance.expired", { acceptance: 7, person: OWNER }],
    ["prolonged", "acceptance.prolonged", { acceptance: 7, person: OWNER }],
  ])("%s is refused", async (_name, type, data) => {
    expect(await said(type, data)).toEqual(["refused", "entries"]);
  });
});
