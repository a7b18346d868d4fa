import type { Outcome } from "../http/exchange.ts";
import { refuseVault } from "./errors.ts";

const VALUE_BYTES_MAX = 25 * 1024;
const CONTENT_TYPE_MAX = 255;
const TAGS_MAX = 15;
const TAG_LENGTH_MAX = 512;

/** The writable fields of a request; undefined = left out. */
export interface SecretBody {
  value: string | undefined;
  contentType: string | undefined;
  tags: Record<string, string> | undefined;
  enabled: boolean | undefined;
  nbf: number | undefined;
  exp: number | undefined;
}

const bad = (message: string): Outcome => refuseVault(400, "BadParameter", message);

/** Reads and bounds a body; an Outcome is the refusal. */
export function readSecretBody(text: string): SecretBody | Outcome {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return bad("The request body is not valid JSON.");
  }
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) return bad("The request body must be an object.");
  const { value, contentType, tags, attributes } = raw as Record<string, unknown>;
  if (value !== undefined && typeof value !== "string") return bad("Property value has an invalid type.");
  if (value !== undefined && Buffer.byteLength(value) > VALUE_BYTES_MAX) {
    return bad(`Property value is too long: the limit is ${VALUE_BYTES_MAX} bytes.`);
  }
  if (contentType != null && (typeof contentType !== "string" || contentType.length > CONTENT_TYPE_MAX)) {
    return bad("Property contentType is invalid.");
  }
  const problem = tagProblem(tags);
  if (problem !== null) return bad(problem);
  if (attributes != null && typeof attributes !== "object") return bad("Property attributes has an invalid type.");
  const { enabled, nbf, exp } = (attributes ?? {}) as Record<string, unknown>;
  if (enabled != null && typeof enabled !== "boolean") return bad("Property enabled has an invalid type.");
  for (const time of [nbf, exp]) if (time != null && !Number.isInteger(time)) return bad("A time has an invalid type.");
  return {
    value,
    contentType: (contentType ?? undefined) as string | undefined,
    tags: (tags ?? undefined) as Record<string, string> | undefined,
    enabled: enabled as boolean | undefined,
    nbf: (nbf ?? undefined) as number | undefined,
    exp: (exp ?? undefined) as number | undefined,
  };
}

function tagProblem(tags: unknown): string | null {
  if (tags == null) return null;
  if (typeof tags !== "object" || Array.isArray(tags)) return "Property tags has an invalid type.";
  const entries = Object.entries(tags);
  if (entries.length > TAGS_MAX) return `Too many tags: the limit is ${TAGS_MAX}.`;
  const ok = entries.every(
    ([key, value]) => typeof value === "string" && key.length <= TAG_LENGTH_MAX && value.length <= TAG_LENGTH_MAX,
  );
  return ok ? null : `A tag is too long or not a text: the limit is ${TAG_LENGTH_MAX} characters.`;
}
