import { bundleProgram } from "../../../tools/programs.mjs";

const bundles = new Map<string, Promise<string>>();

/** The product as one file in `folder`, made from its sources once per suite. Returns the file. */
export function bundledProduct(folder: string): Promise<string> {
  const known = bundles.get(folder) ?? bundleProgram("countersign", folder);
  bundles.set(folder, known);
  return known;
}
