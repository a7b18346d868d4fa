/** A database account as a consumer holds it. */
export interface DatabaseAccount {
  user: string;
  password: string;
  database: string | null;
}

/**
 * Reads an account from a connection file or vault entry: a JSON object, a `postgres://` address, or `KEY=value` lines
 * (libpq words, `PG…` variables). Null when there is none.
 */
export function readAccount(text: string): DatabaseAccount | null {
  return fromJson(text) ?? fromAddress(text) ?? fromLines(text);
}

function fromJson(text: string): DatabaseAccount | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? fromFields(new Map(Object.entries(value))) : null;
  } catch {
    return null;
  }
}

function fromAddress(text: string): DatabaseAccount | null {
  const match = /postgres(?:ql)?:\/\/[^\s"']+/.exec(text);
  if (match === null || !URL.canParse(match[0])) return null;
  const url = new URL(match[0]);
  if (url.username === "") return null;
  return {
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.length > 1 ? decodeURIComponent(url.pathname.slice(1)) : null,
  };
}

function fromLines(text: string): DatabaseAccount | null {
  const pairs = [...text.matchAll(/^\s*(?:export\s+)?(\w+)\s*[=:]\s*(.*?)\s*$/gm)];
  return fromFields(
    new Map(pairs.map(([, key, value]) => [String(key), String(value).replace(/^(['"])(.*)\1$/, "$2")])),
  );
}

function fromFields(fields: Map<string, unknown>): DatabaseAccount | null {
  const pick = (...names: string[]): string | null => {
    for (const [key, value] of fields) {
      if (names.includes(key.toLowerCase()) && typeof value === "string") return value;
    }
    return null;
  };
  const user = pick("username", "user", "role", "pguser", "db_user", "database_user");
  const password = pick("password", "pgpassword", "db_password", "database_password");
  if (user === null || password === null) return null;
  return { user, password, database: pick("database", "dbname", "pgdatabase", "db_name") };
}
