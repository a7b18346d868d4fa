import { countersign } from "./program.ts";

await countersign(process.argv.slice(2));
