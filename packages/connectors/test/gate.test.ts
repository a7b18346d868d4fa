import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type GateInput, readGate } from "../src/entra/gate.ts";
import type { SignIn } from "../src/kit/seams.ts";

const hour = 3_600_000;
const now = Date.UTC(2026, 10, 22);
const line = (keyId: string | null, hoursAgo: number, more: Partial<SignIn> = {}): SignIn => ({
  id: `${keyId}-${hoursAgo}`,
  at: now - hoursAgo * hour,
  keyId,
  address: "203.0.113.7",
  ...more,
});

/** Everything as good as it can be. */
const best: GateInput = {
  now,
  storedAt: now - 72 * hour,
  oldKeyId: "old",
  newKeyId: "new",
  recordIsOurs: true,
  singleTenant: true,
  redirectUris: false,
  signIns: { lines: [line("old", 96), line("OLD", 90), line("new", 60), line("new", 1)], cut: false },
  activity: now - 96 * hour,
  ownRequestIds: new Set(),
  quietSeconds: 24 * 3_600,
  logLagSeconds: 24 * 3_600,
  consumers: [{ name: "api", callers: ["203.0.113.7"] }],
};
const lines = (...more: SignIn[]) => ({ lines: [...(best.signIns?.lines ?? []), ...more], cut: false });

describe("the retire gate", () => {
  it("is strong only when every condition holds", () => {
    expect(readGate(best)).toMatchObject({ open: true, grade: "strong", reasons: [] });
  });

  it.each<[string, Partial<GateInput>, string]>([
    ["the old key signed in since the cut-over", { signIns: lines(line("old", 2)) }, "old-key-used"],
    [
      "a failed try counts as use as well: it stands in the same log",
      { signIns: lines(line("old", 3)) },
      "old-key-used",
    ],
    ["too little time has passed", { storedAt: now - hour }, "quiet-too-short"],
    ["the report says that the old key was used lately", { activity: now - hour }, "old-key-used"],
    ["the record's newest version is not this run's", { recordIsOurs: false }, "record-not-ours"],
    [
      "a declared caller was not seen on the new key",
      { consumers: [{ name: "batch", callers: ["198.51.100.1"] }] },
      "caller-not-on-new-key",
    ],
  ])("is shut when %s", (_name, change, reason) => {
    const reading = readGate({ ...best, ...change });
    expect(reading).toMatchObject({ open: false, grade: "none" });
    expect(reading.reasons).toContain(reason);
  });

  it.each<[string, Partial<GateInput>, string]>([
    ["other tenants may sign in", { singleTenant: false }, "audience-not-single-tenant"],
    ["users may sign in", { redirectUris: true }, "redirect-uris"],
    ["there is only the activity report", { signIns: null }, "report-unavailable"],
    ["the log never saw the old key", { signIns: { lines: [line("new", 1)], cut: false } }, "report-has-not-seen-key"],
    ["older lines were left unread", { signIns: { ...lines(), cut: true } }, "report-cut"],
    ["some sign-ins name no key", { signIns: lines(line(null, 2)) }, "sign-ins-without-key"],
    [
      "quiet is shorter than the longest gap and the log's delay",
      { signIns: lines(line("old", 200)) },
      "quiet-shorter-than-gap-and-lag",
    ],
  ])("is weak when %s", (_name, change, reason) => {
    const reading = readGate({ ...best, ...change });
    expect(reading).toMatchObject({ open: true, grade: "weak" });
    expect(reading.reasons).toContain(reason);
  });

  it("has no grade where nothing can be read, and does not call that unused", () => {
    expect(readGate({ ...best, signIns: null, activity: undefined })).toMatchObject({
      grade: "none",
      facts: { source: "none" },
    });
  });

  it("does not take our own proof for a consumer's sign-in", () => {
    const own = line("new", 1, { address: "198.51.100.9" });
    const consumers = [{ name: "batch", callers: ["198.51.100.9"] }];
    expect(readGate({ ...best, consumers, signIns: lines(own), ownRequestIds: new Set([own.id]) })).toMatchObject({
      open: false,
    });
    expect(readGate({ ...best, consumers, signIns: lines(own) })).toMatchObject({ open: true });
  });

  it("never opens within the quiet time of any use, whatever else is true", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 23.9, noNaN: true }),
        fc.boolean(),
        fc.boolean(),
        (hoursAgo, cut, singleTenant) => {
          const reading = readGate({
            ...best,
            singleTenant,
            signIns: { lines: [...(best.signIns?.lines ?? []), line("old", hoursAgo)], cut },
          });
          expect(reading.open).toBe(false);
        },
      ),
    );
  });
});
