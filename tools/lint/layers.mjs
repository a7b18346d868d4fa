/**
 * @typedef {object} Layer
 * @property {string[]} ours the packages of this repository which its sources may import
 * @property {string[]} [typesOf] those of them of which it may import types only, so that none of their code runs with it
 * @property {boolean} node may import `node:` modules
 * @property {boolean} npm may import packages from npm
 */

/**
 * Who may import what. Imports go down only; what is pure has no way to reach the outside.
 * @type {Record<string, Layer>}
 */
export const layers = {
  evidence: { ours: [], node: true, npm: false },
  core: { ours: ["evidence"], node: false, npm: true },
  contract: { ours: ["core"], typesOf: ["core"], node: false, npm: true },
  connectors: { ours: ["core"], node: true, npm: true },
  engine: { ours: ["core", "evidence"], node: true, npm: true },
  server: { ours: ["evidence", "core", "contract", "connectors", "engine"], node: true, npm: true },
  console: { ours: ["contract"], node: false, npm: true },
  cli: { ours: ["evidence", "core", "contract", "connectors", "engine", "server"], node: true, npm: true },
  simulator: { ours: [], node: true, npm: true },
};

/** The one place in `connectors` that every connector may import; they never import each other. */
export const connectorKit = "kit";

/** Modules that can copy a process's memory out; a secret lives in that memory (invariant I7). */
export const memoryReaders = ["node:inspector", "node:inspector/promises", "inspector"];
