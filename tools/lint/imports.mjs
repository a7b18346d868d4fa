import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { connectorKit, layers, memoryReaders } from "./layers.mjs";

/**
 * Reports an import that the tree forbids: upwards, sideways, past another package's `exports`, or into the outside
 * from a pure package. Type-only imports count as well: a type is a dependency of the mind.
 */
export const imports = {
  meta: { type: "problem", docs: { description: "imports go down the tree only" } },
  create(/** @type {any} */ context) {
    const cwd = context.cwd ?? process.cwd();
    const from = place(cwd, context.filename);
    const check = (/** @type {any} */ node) => {
      const name = node.source?.value;
      if (typeof name !== "string" || from === undefined) return;
      const message = breach(cwd, from, name, isType(node));
      if (message !== undefined) context.report({ node: node.source, message });
    };
    return {
      ImportDeclaration: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      ImportExpression: check,
      TSImportType: check,
    };
  },
};

/** Whether nothing of it is left at run time. `import { type A }` is not enough: the import itself stays. */
function isType(/** @type {any} */ node) {
  return node.type === "TSImportType" || node.importKind === "type" || node.exportKind === "type";
}

/**
 * @typedef {{ file: string, pkg: string | undefined, source: boolean }} Place
 * A file by its path from the top, its package if it has one, and whether it is product source (not test or set-up).
 */

/** @param {string} cwd @param {string} filename @returns {Place | undefined} */
function place(cwd, filename) {
  const file = relative(cwd, filename).split(sep).join("/");
  if (file.startsWith("../")) return undefined;
  const [top, pkg, folder] = file.split("/");
  if (top !== "packages") return { file, pkg: undefined, source: false };
  return { file, pkg, source: folder === "src" && !file.endsWith(".test.ts") };
}

/** @param {string} cwd @param {Place} from @param {string} name @param {boolean} type @returns {string | undefined} a sentence, or nothing if allowed */
function breach(cwd, from, name, type) {
  if (name.startsWith(".")) return relativeBreach(cwd, from, name);
  const layer = layers[/** @type {keyof typeof layers} */ (from.pkg ?? "")];
  if (memoryReaders.includes(name) && from.pkg !== undefined) return `${name} can copy a secret out of memory (I7)`;
  if (name === "countersign" || name.startsWith("@countersign/")) return ourBreach(cwd, from, name, layer, type);
  if (!layer || !from.source) return undefined;
  if (name.startsWith("node:")) return layer.node ? undefined : `${from.pkg} is pure: it may not import ${name}`;
  return layer.npm ? undefined : `${from.pkg} imports nothing from npm, so that anybody can read all of it`;
}

/** @param {string} cwd @param {Place} from @param {string} name */
function relativeBreach(cwd, from, name) {
  const target = relative(cwd, resolve(cwd, dirname(from.file), name))
    .split(sep)
    .join("/");
  const [top, pkg, folder, system] = target.split("/");
  if (top === "packages" && pkg !== from.pkg) return `import @countersign/${pkg}, not a path into it`;
  if (from.source && top !== "packages") return `product source may not import ${target}`;
  if (from.source && folder === "test") return "product source may not import test code";
  const own = from.file.split("/");
  if (from.source && from.pkg === "connectors" && own.length > 4 && target.split("/").length > 4 && system !== own[3]) {
    return system === connectorKit ? undefined : `connectors never import each other; share through ${connectorKit}/`;
  }
  return undefined;
}

/** @param {string} cwd @param {Place} from @param {string} name @param {import("./layers.mjs").Layer | undefined} layer @param {boolean} type */
function ourBreach(cwd, from, name, layer, type) {
  const [scope, pkg = "", ...rest] = name === "countersign" ? ["", "cli"] : name.split("/");
  if (rest.length > 0 && !exported(cwd, pkg, `./${rest.join("/")}`)) {
    return `${name} is not in that package's exports; import from ${scope}/${pkg}`;
  }
  if (from.pkg === "simulator") return "the simulator imports nothing of ours: it must not share our mistakes";
  if (!from.source || !layer) return undefined;
  if (pkg === from.pkg) return `inside ${pkg}, import by relative path`;
  if (pkg === "simulator") return "the product never imports the simulator";
  if (layer.typesOf?.includes(pkg) && !type)
    return `${from.pkg} may take only types of ${pkg}: the page is built from it`;
  if (layer.ours.includes(pkg)) return undefined;
  return `${from.pkg} may import ${layer.ours.map((p) => `@countersign/${p}`).join(", ") || "nothing of ours"}, not ${name}`;
}

/** @param {string} cwd @param {string} pkg @param {string} subpath */
function exported(cwd, pkg, subpath) {
  try {
    const manifest = JSON.parse(readFileSync(join(cwd, "packages", pkg, "package.json"), "utf8"));
    return Object.hasOwn(manifest.exports ?? {}, subpath);
  } catch {
    return false;
  }
}
