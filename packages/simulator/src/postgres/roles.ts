import type { RoleState } from "../tenant/model.ts";

/** What one statement says of a login role. */
export interface RoleChange {
  role: string;
  /** New SCRAM verifier, when a password was set as one. */
  verifier: string | null;
  /** LOGIN or NOLOGIN, when said. */
  login: boolean | null;
}

const STATEMENT = /^\s*(?:alter|create)\s+(?:role|user)\s+(?:"((?:[^"]|"")+)"|([a-z_]\w*))([\s\S]*)$/i;
const VERIFIER = /\bpassword\s+'(SCRAM-SHA-256\$[^']+)'/i;

/** Reads `ALTER ROLE` and `CREATE ROLE` (or USER) out of SQL; everything else says nothing. */
export function readRoleChanges(sql: string): RoleChange[] {
  return sql.split(";").flatMap((statement) => {
    const match = STATEMENT.exec(statement);
    if (match === null) return [];
    const options = String(match[3]);
    const verifier = VERIFIER.exec(options)?.[1] ?? null;
    const login = /\bnologin\b/i.test(options) ? false : /\blogin\b/i.test(options) ? true : null;
    if (verifier === null && login === null) return [];
    // Unquoted names are folded to lower case.
    const role = match[1]?.replaceAll('""', '"') ?? String(match[2]).toLowerCase();
    return [{ role, verifier, login }];
  });
}

/** Applies committed changes to what is known of the roles of one database. */
export function applyRoleChanges(
  roles: Record<string, RoleState>,
  changes: readonly RoleChange[],
  nowMs: number,
): void {
  for (const { role, verifier, login } of changes) {
    const known = roles[role];
    roles[role] = {
      verifier: verifier ?? known?.verifier ?? null,
      setMs: verifier === null ? (known?.setMs ?? nowMs) : nowMs,
      login: login ?? known?.login ?? true,
    };
  }
}
