import { sameBytes, toHex } from "../base64.ts";
import { type BundleFiles, contextFile, contextProofFile, FILES, fileOf, rangeFile } from "../bundle/layout.ts";
import { parseProof } from "../bundle/proof-file.ts";
import { canonicalBytes, type Json } from "../canonical.ts";
import { type Checkpoint, verifyCheckpoint } from "../checkpoint.ts";
import { digestOf } from "../digest.ts";
import { parseEntry } from "../entry.ts";
import { CLOCK_SKEW_MS_MAX, LIMITS } from "../limits.ts";
import { Frontier, leafHash, verifyInclusion } from "../merkle.ts";
import { formatPopulationReadme, parseFrames, parseFrontier, rangeMarginMs } from "../population/bundle.ts";
import { type Population, parsePopulation } from "../population/document.ts";
import { checkCounted, entriesOf, type IndexedEntry, populationOf } from "../population/make.ts";
import type { Trust } from "../trust.ts";
import { checkExact } from "./documents.ts";
import { checkGenesis, checkSums } from "./log.ts";
import { CheckList, nothing, prove, type Report, type ReportFact } from "./report.ts";

/** Judges the bundle of a population by a trust file. Never throws: whatever cannot be checked is refused. */
export function verifyPopulation(files: BundleFiles, trust: Trust): Report {
  const seen: Pick<Report, "clock" | "profile" | "separation"> = { clock: null, profile: null, separation: null };
  const none = { run: null, state: null, open: null };
  const list = new CheckList();
  try {
    const facts = provePopulation(files, trust, list, (genesis) => Object.assign(seen, genesis));
    return { verdict: "proven", ...none, ...seen, checks: list.checks, facts };
  } catch {
    return { verdict: "refused", ...none, ...seen, checks: list.checks, facts: [] };
  }
}

function provePopulation(
  files: BundleFiles,
  trust: Trust,
  list: CheckList,
  began: (genesis: Pick<Report, "clock" | "profile" | "separation">) => void,
): ReportFact[] {
  list.make("files", "SHA256SUMS lists exactly the files of the bundle.", () => checkSums(files));
  const log = list.make("checkpoint", "The state of the log is signed by a log key you trust.", () =>
    verifyCheckpoint(fileOf(files, FILES.checkpoint), trust.origin, trust.logKeys),
  );
  list.make("genesis", "The log is the one the trust file names, from its first entry on.", () => {
    const { clock, profile, separation } = readGenesis(files, log, trust);
    began({ clock, profile, separation });
  });
  const population = list.make("population", "The list has the form of one.", () => {
    const found = parsePopulation(fileOf(files, FILES.population));
    const days = (Date.parse(found.to) - Date.parse(found.from)) / 86_400_000;
    prove(days > 0 && days <= LIMITS.periodDaysMax, `expected a period of at most ${LIMITS.periodDaysMax} days`);
    prove(found.log.origin === trust.origin, "expected a list made from this log");
    return found;
  });
  const entries = list.make("range", "Nothing of the log is missing since before the period.", () =>
    readRange(files, population, log),
  );
  list.make("exported", "The log says that this very list was given to somebody.", () =>
    checkExported(fileOf(files, FILES.population), population, entries),
  );
  const changes = [...population.changes, ...population.others].map(({ explained: _, ...change }) => change);
  const again = populationOf({ ...population, entries, changes, sample: population.sample });
  const same = (part: keyof Population, what: string) =>
    prove(
      sameBytes(bytesOf(population[part]), bytesOf(again[part])),
      `expected ${what} to be what the log and the list give`,
    );
  list.make("runs", `All ${population.counts.runs} runs that were asked for in the period are in it.`, () =>
    same("runs", "the runs"),
  );
  list.make("changes", `All ${population.counts.changes} changes that the log has counted are in it.`, () => {
    checkCounted(changes, entries, population.log.size);
    same("changes", "the changes");
    same("others", "the changes outside of the period");
    same("counts", "the counts");
  });
  list.make("gaps", "What was not read is what the looks that were written down leave out.", () => {
    checkTenants(population, entries);
    same("tenants", "what is said of each tenant");
    same("gaps", "the gaps");
  });
  list.make(
    "sample",
    () => (population.sample === null ? nothing("No sample was drawn.") : "The sample is what the seed draws."),
    () => same("sample", "the sample"),
  );
  list.make("file-set", "The bundle has the files that it needs and no others.", () => checkFileSet(files));
  list.make("readme", "README.txt says what the list says.", () =>
    checkExact(files, FILES.readme, formatPopulationReadme(population, log.size)),
  );
  return factsOf(population);
}

const bytesOf = (value: unknown) => canonicalBytes(value as Json);

function readGenesis(files: BundleFiles, log: Checkpoint, trust: Trust) {
  const bytes = fileOf(files, contextFile(0));
  const { index, hashes } = parseProof(fileOf(files, contextProofFile(0)), fileOf(files, FILES.checkpoint));
  const leafBytes = leafHash(bytes);
  const entry = { entry: parseEntry(bytes), index, hashes, leafBytes, leaf: toHex(leafBytes) };
  verifyInclusion(leafBytes, index, log.size, hashes, log.root);
  return checkGenesis({ run: [], context: [entry] }, trust).data;
}

/** The entries from `start` to the end of the log: with what stands before them they give its root. */
function readRange(files: BundleFiles, { log: made, from }: Population, log: Checkpoint): IndexedEntry[] {
  prove(
    made.start < made.size && made.size < log.size,
    "expected a log that is longer than what the list was made from",
  );
  const frontier = new Frontier(made.start, parseFrontier(fileOf(files, FILES.frontier)));
  const entries: IndexedEntry[] = [];
  for (let n = 0; n < LIMITS.rangeFilesMax && files.has(rangeFile(n)); n += 1) {
    for (const bytes of parseFrames(fileOf(files, rangeFile(n)), rangeFile(n))) {
      prove(frontier.size < log.size, `expected entries up to ${log.size}, got more`);
      entries.push({ index: frontier.append(leafHash(bytes)), entry: parseEntry(bytes) });
    }
  }
  prove(frontier.size === log.size, `expected entries up to ${log.size}, got them up to ${frontier.size}`);
  prove(sameBytes(frontier.root(), log.root), "expected the root of the log from its entries, got another");
  const first = entries[0]?.entry.at ?? "";
  prove(
    made.start === 0 || Date.parse(first) <= Date.parse(from) - rangeMarginMs,
    `expected the range to begin ${rangeMarginMs / 1000} s before the period or with the log, got ${first}`,
  );
  return entries;
}

/** The list was made from the log just before it was exported, and the entry says what it holds. */
function checkExported(bytes: Uint8Array, population: Population, entries: readonly IndexedEntry[]): void {
  const digest = digestOf(bytes);
  const { at, counts, from, to, gaps, sample, log } = population;
  const found = entriesOf(entries, "population.exported").find(({ entry }) => entry.data.digest === digest);
  prove(found !== undefined, `expected the log to hold the export of ${digest}`);
  prove(found.index >= log.size, "expected the export after what the list was made from");
  const { by, ...said } = found.entry.data;
  const holds: typeof said = {
    changes: counts.changes,
    digest,
    from,
    gaps: gaps.length,
    runs: counts.runs,
    sample: sample === null ? null : { seed: sample.seed, size: sample.size },
    to,
  };
  prove(sameBytes(bytesOf(said), bytesOf(holds)), `expected the export by ${by} to say what the list holds`);
  prove(found.entry.at === at, `expected the export at ${at}, got it at ${found.entry.at}`);
  for (const { index, entry } of entries)
    prove(
      index < log.size || index >= found.index || Date.parse(entry.at) >= Date.parse(at) - CLOCK_SKEW_MS_MAX,
      `expected the list to be made from entry ${index} too, which is older than the export`,
    );
}

/** Every tenant whose log was read is in the list, once. */
function checkTenants(population: Population, entries: readonly IndexedEntry[]): void {
  const names = population.tenants.map(({ name }) => name);
  prove(new Set(names).size === names.length, "expected each tenant once");
  for (const { index, entry } of entriesOf(entries, "audit.read"))
    prove(
      index >= population.log.size || names.includes(entry.data.tenant),
      `expected tenant ${entry.data.tenant} in the list`,
    );
}

function checkFileSet(files: BundleFiles): void {
  const { readme, sums, checkpoint, population, frontier } = FILES;
  const wanted = new Set<string>([readme, sums, checkpoint, population, frontier, contextFile(0), contextProofFile(0)]);
  for (let n = 0; files.has(rangeFile(n)); n += 1) wanted.add(rangeFile(n));
  for (const name of wanted) prove(files.has(name), `expected the file ${name}`);
  for (const name of files.keys()) prove(wanted.has(name), `expected no file ${name} in the bundle of a population`);
}

/** What an auditor asks first. */
function factsOf({ from, to, at, counts, gaps, tenants, sample, build, log }: Population): ReportFact[] {
  const verdicts = `${counts.ours} ours, ${counts.breakGlass} break-glass, ${counts.outOfBand} out of band, ${counts.unknown} unknown; ${counts.explained} explained`;
  const looks = tenants.map(
    ({ name, reads, queries, daysWithout, late, slowestMs, unreadable, lateMs, keptMs }) =>
      `${name}: ${reads} look(s) written down, ${daysWithout.length} day(s) without, ${unreadable} entries unreadable, ${late} read later than ${lateMs / 1000} s (the slowest after ${slowestMs / 1000} s), kept for ${keptMs / 1000} s; query ${queries.join(" | ") || "none"}.`,
  );
  return [
    {
      code: "period",
      sentence: `From ${from} until before ${to}, exported at ${at} by build ${build} from the first ${log.size} entries of the log.`,
    },
    {
      code: "counts",
      sentence: `${counts.changes} changes of credentials (${verdicts}), ${counts.runs} runs asked for.`,
    },
    ...looks.map((sentence) => ({ code: "looks", sentence })),
    ...(gaps.length === 0
      ? [{ code: "no-gaps", sentence: "Every moment of the period was read." }]
      : gaps.map(({ tenant, from: begin, to: end, why }) => ({
          code: "gap",
          sentence: `GAP: ${tenant} from ${begin} to ${end}: ${why}. Of it nothing can be concluded.`,
        }))),
    ...(sample === null
      ? []
      : [
          {
            code: "sample",
            sentence: `Drawn by seed ${sample.seed}, at most ${sample.size} of each: changes ${sample.changes.join(", ") || "none"}; runs ${sample.runs.join(", ") || "none"} (positions from 0).`,
          },
        ]),
    {
      code: "changes",
      sentence:
        "Of a change the log holds the count, not the words: what a row says of it is the word of whoever exported it. Compare the sample with the directory.",
    },
    {
      code: "parameters",
      sentence: "How late entries may come and how long they are kept are the configuration's words.",
    },
  ];
}
