#!/usr/bin/env node
// Node 24 runs our sources; an older one hands over to the Node 24 that set-up has installed beside us.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

if (Number(process.versions.node.split(".")[0]) >= 24) {
  await import("../src/main.ts");
} else {
  const node = fileURLToPath(new URL("../../../node_modules/.bin/node", import.meta.url));
  if (!existsSync(node)) {
    process.stderr.write("expected Node 24; run `npm start` once, it installs what is needed\n");
    process.exit(1);
  }
  const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
  const ran = spawnSync(node, [main, ...process.argv.slice(2)], { stdio: "inherit" });
  process.exit(ran.status ?? 1);
}
