import type { Effect } from "./log.ts";

/** Sign-ins with one credential by one workload (null: callers from outside). */
export interface UseFigure {
  /** keyId or login role; null when the sign-in named none that exists. */
  credential: string | null;
  workload: string | null;
  ok: number;
  failed: number;
  first: string;
  last: string;
  /** Error codes with their counts. */
  codes: Record<string, number>;
}

/** Sign-ins of one application or database. */
export interface SignInFigures {
  /** Of hosted workloads. */
  signIns: number;
  failedSignIns: number;
  /** Of callers from outside, e.g. proofs. */
  otherSignIns: number;
  otherFailedSignIns: number;
  uses: UseFigure[];
  /** When each workload first signed in with another credential than before. */
  timeline: { workload: string; at: string; credential: string | null }[];
}

/** Counts sign-ins; `credentialOf` names what an entry signed in with. */
export function countSignIns(
  entries: readonly Effect[],
  credentialOf: (entry: Effect) => string | null,
): SignInFigures {
  const figures: SignInFigures = {
    signIns: 0,
    failedSignIns: 0,
    otherSignIns: 0,
    otherFailedSignIns: 0,
    uses: [],
    timeline: [],
  };
  const uses = new Map<string, UseFigure>();
  const held = new Map<string, string | null>();
  for (const entry of entries) {
    const { workload } = entry;
    if (workload === null) {
      figures.otherSignIns += 1;
      if (!entry.effect) figures.otherFailedSignIns += 1;
    } else {
      figures.signIns += 1;
      if (!entry.effect) figures.failedSignIns += 1;
    }
    const credential = credentialOf(entry);
    const key = `${credential}\n${workload}`;
    const use = uses.get(key) ?? { credential, workload, ok: 0, failed: 0, first: entry.at, last: entry.at, codes: {} };
    uses.set(key, use);
    use[entry.effect ? "ok" : "failed"] += 1;
    if (entry.at < use.first) use.first = entry.at;
    if (entry.at > use.last) use.last = entry.at;
    if (entry.code !== null) use.codes[entry.code] = (use.codes[entry.code] ?? 0) + 1;
    if (workload !== null && entry.effect && held.get(workload) !== credential) {
      held.set(workload, credential);
      figures.timeline.push({ workload, at: entry.at, credential });
    }
  }
  figures.uses = [...uses.values()];
  return figures;
}
