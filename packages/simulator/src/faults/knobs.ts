/** A range `[min, max]`, drawn anew for each use. */
export type Range = readonly [number, number];

/**
 * Every way in which the tenant misbehaves by itself. Probabilities are per request of a caller (hosted workloads are
 * never hit); seconds are virtual, milliseconds real.
 */
export interface Knobs {
  /** 429 with `Retry-After` before the effect. */
  throttle: number;
  /** Range of `Retry-After`. */
  retryAfterSeconds: Range;
  /** 500 or 503 before the effect. */
  serverError: number;
  /** Writes only: the effect is done and the reply lost (connection reset or 504). */
  lostReply: number;
  /** Writes to the directory: 409, 503 or 400 with the concurrency text, nothing done. */
  concurrency: number;
  /** The same, for a write to an object that was written less than `concurrencyWindowSeconds` ago. */
  concurrencyAfterWrite: number;
  concurrencyWindowSeconds: number;
  /** The reply comes late by `slowMs`. */
  slow: number;
  slowMs: Range;
  /** A new credential is accepted by each token gateway after its own delay. */
  replicationSeconds: Range;
  /** A removed credential is still accepted by each token gateway for so long. */
  lingerSeconds: Range;
  /** Each read replica of the directory sees a credential change after its own delay. */
  visibilityLagSeconds: Range;
  /** A sign-in stands in the sign-in log after so long. */
  signInLogLagSeconds: Range;
  /** A change stands in the directory audit after so long. */
  auditLagSeconds: Range;
  /** An entry of the directory audit comes later still, by `auditLateSeconds`. */
  auditLate: number;
  auditLateSeconds: Range;
  /** Entries of the directory audit that are so close in time come in any order. */
  auditDisorderSeconds: number;
  /** A further page of the directory audit begins with the last entries of the one before. */
  auditRepeat: number;
  /** A further page of a SharePoint list begins with the last items of the one before. */
  listRepeat: number;
  /** Last use of a credential stands in the activity report after so long. */
  activityLagSeconds: Range;
  /** A deleted vault secret stands in the list of deleted ones after so long. */
  deletedSecretLagSeconds: Range;
  /** A refresh of Key Vault references is answered and not done: they follow within a day. */
  refreshIgnored: number;
  /** A new issue is found by a Jira search after so long; reading it by its key works at once. */
  ticketSearchLagSeconds: Range;
  /** Requests to audit and sign-in reports per 10 virtual seconds and caller; 0 = no limit. */
  reportsPer10Seconds: number;
  /** A statement loses its connection, half of the time before it is forwarded and half after the server did it. */
  postgresReset: number;
  /** Page size of Graph lists; 0 = the vendor's default. */
  pageSize: number;
  /** Page size of vault lists, at most 25. */
  vaultPageSize: number;
}

/** The tenant as it comes. */
export const defaultKnobs: Knobs = {
  throttle: 0.05,
  retryAfterSeconds: [1, 5],
  serverError: 0.02,
  lostReply: 0.03,
  concurrency: 0.05,
  concurrencyAfterWrite: 0.2,
  concurrencyWindowSeconds: 1,
  slow: 0.02,
  slowMs: [50, 250],
  replicationSeconds: [3, 12],
  lingerSeconds: [2, 10],
  visibilityLagSeconds: [0, 5],
  signInLogLagSeconds: [30, 180],
  auditLagSeconds: [30, 300],
  auditLate: 0.05,
  auditLateSeconds: [600, 2400],
  auditDisorderSeconds: 30,
  auditRepeat: 0.2,
  listRepeat: 0.2,
  activityLagSeconds: [3600, 14_400],
  deletedSecretLagSeconds: [1, 5],
  refreshIgnored: 0.1,
  ticketSearchLagSeconds: [5, 60],
  reportsPer10Seconds: 5,
  postgresReset: 0.01,
  pageSize: 0,
  vaultPageSize: 25,
};

/** A tenant that never misbehaves: no fault, no delay. */
export const quietKnobs: Knobs = {
  ...defaultKnobs,
  throttle: 0,
  serverError: 0,
  lostReply: 0,
  concurrency: 0,
  concurrencyAfterWrite: 0,
  slow: 0,
  replicationSeconds: [0, 0],
  lingerSeconds: [0, 0],
  visibilityLagSeconds: [0, 0],
  signInLogLagSeconds: [0, 0],
  auditLagSeconds: [0, 0],
  auditLate: 0,
  auditDisorderSeconds: 0,
  auditRepeat: 0,
  listRepeat: 0,
  activityLagSeconds: [0, 0],
  deletedSecretLagSeconds: [0, 0],
  refreshIgnored: 0,
  ticketSearchLagSeconds: [0, 0],
  reportsPer10Seconds: 0,
  postgresReset: 0,
};

/** A preset by name, a partial set of knobs over the present ones, or both (`preset` inside the object). */
export type KnobChange = "default" | "off" | (Partial<Knobs> & { preset?: "default" | "off" });

/** Applies a change; throws RangeError naming the knob that is unknown or of a wrong form. */
export function applyKnobs(present: Knobs, change: KnobChange): Knobs {
  if (change === "default") return { ...defaultKnobs };
  if (change === "off") return { ...quietKnobs };
  const { preset, ...rest } = change;
  if (preset !== undefined && preset !== "default" && preset !== "off") {
    throw new RangeError(`knobs.preset: expected "default" or "off", got ${JSON.stringify(preset)}`);
  }
  const next: Knobs = preset === undefined ? { ...present } : applyKnobs(present, preset);
  for (const [name, value] of Object.entries(rest)) {
    if (!Object.hasOwn(defaultKnobs, name)) throw new RangeError(`knobs.${name}: expected a known knob`);
    const key = name as keyof Knobs;
    const isRange = Array.isArray(defaultKnobs[key]);
    if (isRange ? !rangeOk(value) : !numberOk(value)) {
      throw new RangeError(
        `knobs.${name}: expected ${isRange ? "[min, max]" : "a number >= 0"}, got ${JSON.stringify(value)}`,
      );
    }
    Object.assign(next, { [name]: value });
  }
  return next;
}

function numberOk(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function rangeOk(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(numberOk) && Number(value[0]) <= Number(value[1]);
}
