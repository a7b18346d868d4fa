// Loaded with `node --import` before the product: changes a few places of its source while it is read.
import { registerHooks } from "node:module";

/** @type {{ name: string, changes: { file: string, find: string, replace: string }[] }} */
const bug = JSON.parse(process.env.CRASH_PLANTED ?? "null");

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    const changes = bug.changes.filter(({ file }) => url.endsWith(file));
    if (changes.length === 0) return loaded;
    let text = Buffer.from(/** @type {Uint8Array | string} */ (loaded.source ?? "")).toString("utf8");
    for (const { file, find, replace } of changes) {
      // A bug that is not planted would count as one that nobody found.
      if (text.split(find).length !== 2)
        throw new Error(`expected the place of planted bug ${bug.name} once in ${file}`);
      text = text.replace(find, () => replace);
    }
    return { ...loaded, source: text };
  },
});
