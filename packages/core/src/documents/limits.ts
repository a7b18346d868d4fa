/** Limits of every document a person writes (configuration, inventory, policy). */
export const documentLimits = {
  /** Largest document; an inventory of 5,000 applications takes about 3 MiB. */
  bytesMax: 8 * 1024 * 1024,
  /** Deepest nesting; our documents need 6. */
  depthMax: 16,
  /** Longest text value or key, in UTF-16 units. */
  textMax: 2_000,
  /** Problems shown at once. */
  problemsMax: 20,
} as const;
