/** The file that a database consumer reads: host, port, database, user and password, replaced as one unit. */
import { CountersignError, SecretValue } from "@countersign/core";
import { z } from "zod";
import type { RoleCredentials } from "../kit/role-credentials.ts";

/** What we read of a connection file. Where the server stands is the consumer's matter and stays as it is. */
export interface ConnectionText extends RoleCredentials {
  /** Version of the record that user and password came from; null in a file that we did not write. */
  readonly version: string | null;
}

const Form = z.looseObject({
  host: z.string().min(1),
  database: z.string().min(1),
  user: z.string().min(1),
  password: z.string().min(1),
  version: z.string().nullish(),
});

/** Names in the line form (`NAME=value`, a path ending in `.env`); those of libpq. */
const lineNames = {
  PGHOST: "host",
  PGDATABASE: "database",
  PGUSER: "user",
  PGPASSWORD: "password",
  COUNTERSIGN_VERSION: "version",
} as const;

/** Reads a connection file: JSON, or lines when the path ends in `.env`. Null for any other content. */
export function parseConnection(path: string, text: string): ConnectionText | null {
  const parsed = Form.safeParse(path.endsWith(".env") ? fromLines(text) : fromJson(text));
  if (!parsed.success) return null;
  const { user, password, version } = parsed.data;
  return { user, password: SecretValue.of(password), version: version == null || version === "" ? null : version };
}

/** The file's text with other credentials in it; everything else stays. Throws OUTSIDE_MALFORMED when it is no connection file. */
export function withCredentials(
  path: string,
  text: string,
  next: RoleCredentials & { readonly version: string },
): string {
  if (parseConnection(path, text) === null)
    throw new CountersignError("OUTSIDE_MALFORMED", `expected a connection file at ${path}, got another content`);
  const change = { user: next.user, password: next.password.reveal(), version: next.version };
  if (!path.endsWith(".env")) return `${JSON.stringify({ ...(fromJson(text) as object), ...change }, null, 2)}\n`;
  if (Object.values(change).some((value) => /[\r\n]/.test(value))) {
    throw new CountersignError("OUTSIDE_INVALID", "expected user, password and version of one line each, got several");
  }
  const wanted = new Map([
    ["PGUSER", change.user],
    ["PGPASSWORD", change.password],
    ["COUNTERSIGN_VERSION", change.version],
  ]);
  const lines = text
    .replace(/\r?\n$/, "")
    .split(/\r?\n/)
    .map((line) => {
      const name = nameOf(line);
      const value = wanted.get(name);
      if (value === undefined) return line;
      wanted.delete(name);
      return `${name}=${value}`;
    });
  return `${[...lines, ...[...wanted].map(([name, value]) => `${name}=${value}`)].join("\n")}\n`;
}

function nameOf(line: string): string {
  return line.slice(0, Math.max(0, line.indexOf("="))).trim();
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

function fromLines(text: string): unknown {
  const found: Record<string, string> = {};
  for (const line of text.split(/\r?\n/)) {
    const name = nameOf(line);
    if (Object.hasOwn(lineNames, name))
      found[lineNames[name as keyof typeof lineNames]] = line.slice(line.indexOf("=") + 1);
  }
  return found;
}
