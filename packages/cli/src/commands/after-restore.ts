import { CountersignError } from "@countersign/core";
import {
  judgeRestored,
  loadInstallation,
  openDatabase,
  type RestoredAccepted,
  type RestoredReport,
} from "@countersign/server";
import { exit, plain, print, printJson, table } from "../output.ts";

export interface AfterRestoreOptions {
  readonly config: string;
  readonly afterRestore?: boolean;
  readonly accept?: string;
  readonly person?: string;
  readonly reason?: string;
  readonly json?: boolean;
}

/**
 * `countersign doctor --after-restore`: what a restored database lacks, by id; with `--accept` a person lets work go on.
 * Exit code 1 while the database is behind and nobody has accepted that.
 */
export async function afterRestore(options: AfterRestoreOptions): Promise<number> {
  const installation = loadInstallation(options.config);
  const database = await openDatabase(installation, "executor");
  try {
    const judged = await judgeRestored(installation, database, acceptedOf(options));
    const { report, digest, accepted } = judged;
    if (options.json === true) printJson(judged);
    else {
      for (const line of linesOf(report)) print(line);
      print(
        accepted === null
          ? `digest of this: ${digest}\nTo let work go on: the same command with --accept DIGEST --person ID --reason TEXT`
          : `accepted: ${accepted.withdrawn} runs withdrawn, ${accepted.held} held; the log says so (log.restored)`,
      );
    }
    return report.behind && accepted === null ? exit.failed : exit.ok;
  } finally {
    await database.release();
  }
}

function acceptedOf({ accept, person, reason }: AfterRestoreOptions): RestoredAccepted | null {
  if (accept === undefined && person === undefined && reason === undefined) return null;
  if (accept === undefined || person === undefined || reason === undefined)
    throw new CountersignError("INPUT_INVALID", "expected --accept, --person and --reason together");
  return { report: accept, person, reason };
}

function linesOf({ behind, seen, signedSize, unknown, runs, unread }: RestoredReport): string[] {
  return [
    behind
      ? `the database is behind: this host has seen ${seen?.size ?? 0} entries, the last checkpoint in it is of ${signedSize}`
      : "the database has everything that this host has seen of the log",
    ...(unknown.length === 0
      ? ["no credential outside carries our marker and stands in no journal line"]
      : [
          "credentials outside that carry our marker and stand in no journal line; nothing is done about them:",
          table(
            ["application", "credential", "made by", "attempt", "expires", "in the record", "version"],
            unknown.map((one) => [
              plain(one.application),
              one.id,
              one.run,
              String(one.attempt),
              one.expiresAt ?? "never",
              one.inRecord === null ? "not read" : one.inRecord ? "yes" : "no",
              one.version ?? "-",
            ]),
          ),
        ]),
    ...(runs.length === 0
      ? ["no run is open"]
      : [
          "open runs, and what each comes to when this is accepted:",
          table(
            ["run", "application", "is", "old credential", "listed outside", "becomes"],
            runs.map(({ run, application, state, old, becomes }) => [
              run,
              plain(application),
              state,
              old?.id ?? "-",
              old === null || old.listed === null ? "not read" : old.listed ? "yes" : "no",
              becomes,
            ]),
          ),
        ]),
    ...unread.map(({ what, code }) => `not read: ${plain(what)} (${code})`),
  ];
}
