import type { Lane } from "./lane.ts";
import { isNamed, type Login, programOf, type Row, seated, vaults } from "./names.ts";

/**
 * A row's secret may be one that somebody has made in the portal and given to a program: then the request names it, security
 * decides with the owner, and an owner moves the program by hand.
 */

const madeBy = "mallory";
/** Who makes such secrets, as the tenant has to know them. */
export const portalUsers = [{ name: madeBy }];

/** Makes the secrets that requests will name; a program lives on each from then on. */
export async function makeByHand(lane: Lane, rows: readonly Row[], intervalSeconds: number): Promise<void> {
  for (const row of rows.filter(isNamed)) {
    const program = { name: programOf(row), ipAddress: "198.51.100.20", intervalSeconds };
    const made = await lane.simulator.post("/portal/credentials", { application: row.name, user: madeBy, program });
    lane.named.set(row.name, (made as { readonly keyId: string }).keyId);
  }
}

/** Asks for the row's rotation. Returns the run's id. */
export function request(lane: Lane, row: Row): Promise<string> {
  return lane.people.request(isNamed(row) ? "ben" : "cleo", row.name, lane.named.get(row.name));
}

/** Who asks decides nothing. */
const quorum: readonly (readonly [Login, "app-owner" | "platform"])[] = [
  ["ada", "app-owner"],
  ["ben", "platform"],
];
const withSecurity: readonly (readonly [Login, "app-owner" | "security"])[] = [
  ["ada", "app-owner"],
  ["cleo", "security"],
];

/** Whose word a plan of this row needs. */
export function approversOf(row: Row): readonly (readonly [Login, "app-owner" | "platform" | "security"])[] {
  return isNamed(row) ? withSecurity : quorum;
}

/** The owner gives the program what the record holds now, and says so. */
export async function moveByHand(lane: Lane, row: Row, run: string, direction: "do" | "undo"): Promise<void> {
  await lane.simulator.post("/portal/pastes", {
    program: programOf(row),
    vault: seated(vaults.main, row.seat),
    secret: row.name,
  });
  await lane.people.confirm("ada", run, "switch", direction);
}
