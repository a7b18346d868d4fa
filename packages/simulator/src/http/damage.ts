import type { Damage } from "./pipeline.ts";

const OVERSIZED_BYTES = 12 * 1024 * 1024;
const HOSTILE =
  "\u0000\u202e</script><script>alert(1)</script>'; DROP TABLE x; -- ${jndi:ldap://x} \ud800 ../../etc/passwd";

/** The bytes of a damaged body; `announced` is the Content-Length to send, larger than the body when it is cut off. */
export function damageBody(body: string, damage: Damage): { bytes: Buffer; announced: number } {
  const whole = Buffer.from(body);
  switch (damage) {
    case "truncated":
      return { bytes: whole.subarray(0, Math.floor(whole.length / 2)), announced: Math.max(whole.length, 2) };
    case "empty":
      return sized(Buffer.alloc(0));
    case "malformed":
      return sized(Buffer.from(`${body.slice(0, Math.max(0, body.length - 2))},,"\\u12`));
    case "wrong-types":
      return sized(Buffer.from(JSON.stringify(swapTypes(parse(body)))));
    case "hostile":
      return sized(Buffer.from(JSON.stringify(makeHostile(parse(body)))));
    case "oversized":
      return sized(Buffer.from(JSON.stringify({ padding: "x".repeat(OVERSIZED_BYTES), original: parse(body) })));
  }
}

function sized(bytes: Buffer): { bytes: Buffer; announced: number } {
  return { bytes, announced: bytes.length };
}

function parse(body: string): unknown {
  try {
    return body === "" ? {} : JSON.parse(body);
  } catch {
    return body;
  }
}

/** Strings become numbers, numbers strings, lists objects: the shape stays, each type is wrong. */
function swapTypes(value: unknown): unknown {
  if (typeof value === "string") return value.length;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return Object.fromEntries(value.map((item, index) => [String(index), swapTypes(item)]));
  if (value === null) return [];
  return Object.fromEntries(Object.entries(value as object).map(([key, item]) => [key, swapTypes(item)]));
}

/** Each text is replaced by one that breaks careless logs, pages, queries and parsers. */
function makeHostile(value: unknown): unknown {
  if (typeof value === "string") return HOSTILE;
  if (Array.isArray(value)) return value.map(makeHostile);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, makeHostile(item)]));
}
