// Loaded with `node --import` before the product: changes one place of one source file while it is read.
import { registerHooks } from "node:module";

/** @type {{ name: string, file: string, find: string, replace: string }} */
const bug = JSON.parse(process.env.CRASH_PLANTED ?? "null");

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith(bug.file)) return loaded;
    const text = String(
      typeof loaded.source === "string" ? loaded.source : Buffer.from(/** @type {Uint8Array} */ (loaded.source)),
    );
    // A bug that is not planted would count as one that nobody found.
    if (text.split(bug.find).length !== 2)
      throw new Error(`expected the place of planted bug ${bug.name} once in ${bug.file}`);
    process.stderr.write(`planted ${bug.name}\n`);
    return { ...loaded, source: text.replace(bug.find, () => bug.replace) };
  },
});
