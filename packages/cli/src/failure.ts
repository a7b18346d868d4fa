import { NotTheApi, ProblemError } from "@countersign/contract";
import { CountersignError, type ErrorCode } from "@countersign/core";
import { CommanderError } from "commander";
import { exit, plain, printJson, say } from "./output.ts";

/** Why a command failed: a code of the closed list, a sentence for each reason, and how the process ends. */
interface Failure {
  readonly code: ErrorCode;
  readonly sentences: readonly string[];
  readonly exit: number;
}

/**
 * Says on stderr why a command failed, and with which exit code it ends. With `--json` stdout has its one object all the
 * same, `{"error":{"code","message"}}`: a command prints its own only as the last thing it does.
 */
export function fail(error: unknown, json: boolean): number {
  const failure = failureOf(error);
  const { code, sentences } = failure;
  // Commander has said it already, with the help.
  if (!(error instanceof CommanderError)) for (const sentence of sentences) say(`${code}: ${sentence}`);
  if (code === "UNEXPECTED" && process.env.COUNTERSIGN_DEBUG === "1" && error instanceof Error) say(error.stack ?? "");
  if (json) printJson({ error: { code, message: sentences.join("\n") } });
  return failure.exit;
}

function failureOf(error: unknown): Failure {
  const failure = (code: ErrorCode, ...sentences: readonly string[]): Failure => ({
    code,
    sentences,
    exit: code === "INPUT_INVALID" ? exit.usage : exit.failed,
  });
  if (error instanceof CommanderError) return failure("INPUT_INVALID", error.message.replace(/^error: /, ""));
  if (error instanceof CountersignError) return failure(error.code, error.message);
  if (error instanceof ProblemError) {
    const { code, errors = [] } = error.problem;
    const named = errors.filter(({ pointer }) => pointer !== "");
    if (named.length === 0) return failure(code, error.message);
    return failure(code, ...named.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`));
  }
  if (error instanceof NotTheApi) return failure("API_UNREACHABLE", error.message);
  if (error instanceof TypeError && error.message === "fetch failed")
    return failure("API_UNREACHABLE", "no answer; does the product run, and is --url right?");
  // Of the system, and about a file that was named: its own sentence says which and why.
  if (error instanceof Error && "syscall" in error) return failure("FILE_UNUSABLE", plain(error.message));
  return failure(
    "UNEXPECTED",
    error instanceof Error ? `${error.name} ${plain(error.message)}` : "something that is no error",
  );
}
