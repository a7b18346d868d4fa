/** Upper bounds on everything a bundle can contain. A verifier in another language uses the same numbers. */
export const LIMITS = {
  /** u16 length prefix of C2SP tlog-tiles entry bundles. */
  entryBytesMax: 65_535,
  /** A plan with 200 consumers is about 300 kB. */
  planBytesMax: 1_048_576,
  policyBytesMax: 1_048_576,
  statementBytesMax: 8_192,
  envelopeBytesMax: 4_194_304,
  trustBytesMax: 1_048_576,
  attachmentBytesMax: 4_194_304,
  noteBytesMax: 16_384,
  noteSignaturesMax: 64,
  proofHashesMax: 64,
  jsonDepthMax: 32,
  keyCharsMax: 128,
  /** File names in `entries/` have four digits. */
  runEntriesMax: 9_999,
  contextEntriesMax: 999,
  bundleFilesMax: 25_000,
  bundleBytesMax: 67_108_864,
  populationBytesMax: 16_777_216,
  populationRowsMax: 100_000,
  periodDaysMax: 4_000,
  /** Files in `range/` have four digits. */
  rangeFilesMax: 9_999,
  peopleMax: 10_000,
  trustListMax: 10_000,
  planStepsMax: 1_000,
} as const;

/**
 * Entries of one run are written by several processes whose clocks may differ; more than this apart and the
 * product makes no effects. A verifier lets a time run backwards by no more.
 */
export const CLOCK_SKEW_MS_MAX = 30_000;
