import { CountersignError } from "@countersign/core";
import { z } from "zod";

/** The member that holds the reference in a JSON file; all other members are left as they are, in their order. */
const JsonFile = z.record(z.string(), z.unknown()).and(z.object({ secretUri: z.string().min(1).max(1_024) }));

/** Reads the reference that a file holds: the only line of a text file, or `secretUri` of a `.json` file. Null for another form. */
export function referenceIn(path: string, text: string): string | null {
  if (!path.endsWith(".json")) return /^[^\s]{1,1024}$/.exec(text.trim())?.[0] ?? null;
  const parsed = JsonFile.safeParse(jsonOf(text));
  return parsed.success ? parsed.data.secretUri : null;
}

/** The file's text with another reference in it. Throws OUTSIDE_MALFORMED when it holds none. */
export function withReference(path: string, text: string, reference: string): string {
  if (referenceIn(path, text) === null) {
    throw new CountersignError("OUTSIDE_MALFORMED", `expected a reference in ${path}, got another content`);
  }
  if (!path.endsWith(".json")) return `${reference}\n`;
  return `${JSON.stringify({ ...(jsonOf(text) as object), secretUri: reference }, null, 2)}\n`;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
