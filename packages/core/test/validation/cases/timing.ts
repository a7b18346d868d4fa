import { credential, day, inWorld, now, row, underPolicy, worldOf } from "../samples.ts";
import { type Case, contradiction, early, manual, naming, theirs } from "./inputs.ts";

/** When it may be done: the rules of validation/timing.ts. */
export const timingCases: readonly Case[] = [
  ["policy environments that contradict each other", contradiction(), "overlap-over-max", "block"],
  ["not due", inWorld({ credentials: [early] }), "not-due", "block"],
  ["the named secret is gone", naming("gone"), "not-due", "block"],
  [
    "a named secret that lives as policy wants",
    naming("theirs", {
      world: worldOf(row, { credentials: [credential("old"), { ...early, id: "theirs", marker: null }] }),
    }),
    "not-due",
    "block",
  ],
  [
    "what the record holds is not known, and another one is named",
    naming("theirs", {
      world: worldOf(row, { credentials: [credential("old"), theirs()], binding: { id: null, by: "unproven" } }),
    }),
    "rollback-minimum",
    "warn",
  ],
  ["not due, asked for by hand", manual(false, true), "not-due", "block"],
  ["not due, insisted on without a reason", manual(true, false), "not-due", "block"],
  ["not due, insisted on with a reason", manual(true, true), "not-due", "warn"],
  [
    "the present one lives too long",
    inWorld({ credentials: [credential("old", { startsAt: now, expiresAt: now + 700 * day })] }),
    "lifetime-over-policy",
    "warn",
  ],
  [
    "the tenant allows less",
    inWorld({ limits: { credentialsMax: null, lifetimeSecondsMax: 30 * 86_400 } }),
    "lifetime-over-tenant-policy",
    "warn",
  ],
  [
    "the tenant allows less than the overlap needs",
    inWorld({ limits: { credentialsMax: null, lifetimeSecondsMax: 86_400 } }),
    "lifetime-too-short",
    "block",
  ],
  [
    "the slowest consumer needs longer than policy allows",
    underPolicy(["{ min: PT1H, max: P7D }", "{ min: PT30M, max: PT1H }"]),
    "overlap-too-short",
    "block",
  ],
  [
    "the old one ends before the slowest consumer is done",
    inWorld({ credentials: [credential("old", { expiresAt: now + 3_600_000 })] }),
    "overlap-too-short",
    "warn",
  ],
  [
    "no window before expiry",
    underPolicy([
      "windows: always",
      'windows: [{ days: [MO], from: "09:00", to: "10:00", tz: UTC }]\nfreezes: [{ name: f, from: 2026-11-20, to: 2026-12-10, tz: UTC }]',
    ]),
    "window-none-before-expiry",
    "block",
  ],
  [
    "little is left for a rollback",
    inWorld({ credentials: [credential("old", { expiresAt: now + day })] }),
    "rollback-minimum",
    "warn",
  ],
];
