import { type JsonValue, query } from "jsonpath-rfc9535";

const lengthMax = 200;

/**
 * Why a JSONPath (RFC 9535) is not accepted; null when it is. Left out of the standard is what can cost without bound:
 * expressions (`match`, `search`), descendants (`..`) and filters inside filters.
 */
export function pathProblem(path: string): string | null {
  if (path.length > lengthMax) return `expected a JSONPath of at most ${lengthMax} characters, got more`;
  if (/\b(?:match|search)\s*\(/.test(path)) return "expected a JSONPath without match and search, got one of them";
  if (path.includes("..")) return "expected a JSONPath without .., got it";
  if (path.split("?").length > 2) return "expected a JSONPath with one filter at most, got more";
  try {
    query(null, path);
    return null;
  } catch {
    return "expected a JSONPath such as $.metadata.version, got another text";
  }
}

/** The one text, number or truth value that the path finds, as a text; null where there is none, or more than one. */
export function textAt(body: unknown, path: string): string | null {
  const found = query(body as JsonValue, path);
  const [only] = found;
  if (found.length !== 1 || only === null || typeof only === "object" || only === undefined) return null;
  return String(only);
}
