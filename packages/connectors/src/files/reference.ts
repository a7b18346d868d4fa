import { CountersignError } from "@countersign/core";
import { z } from "zod";

/** The member that holds the reference in a JSON file; all other members are left as they are. */
const JsonFile = z.looseObject({ secretUri: z.string().min(1).max(1_024) });

/** Reads the reference that a file holds: the only line of a text file, or `secretUri` of a `.json` file. Null for another form. */
export function referenceIn(path: string, text: string): string | null {
  if (!path.endsWith(".json")) return /^[^\s]{1,1024}$/.exec(text.trim())?.[0] ?? null;
  return jsonFile(text)?.secretUri ?? null;
}

/** The file's text with another reference in it. Throws OUTSIDE_MALFORMED when it holds none. */
export function withReference(path: string, text: string, reference: string): string {
  if (referenceIn(path, text) === null)
    throw new CountersignError("OUTSIDE_MALFORMED", `expected a reference in ${path}, got another content`);
  if (!path.endsWith(".json")) return `${reference}\n`;
  return `${JSON.stringify({ ...jsonFile(text), secretUri: reference }, null, 2)}\n`;
}

function jsonFile(text: string): z.infer<typeof JsonFile> | null {
  try {
    const parsed = JsonFile.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
