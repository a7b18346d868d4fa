import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { CountersignError, SecretValue } from "@countersign/core";

/** A secret is a file's content or a variable's value; never longer. */
const secretBytesMax = 64 * 1024;

/**
 * Reads a secret reference: `file:<path>` (mode 0600, relative to the configuration file's folder) or `env:<NAME>`.
 * Throws SECRET_REFERENCE_INVALID; no message ever holds the value.
 */
export function readSecret(reference: string, folder: string): SecretValue {
  const refuse = (message: string): never => {
    throw new CountersignError("SECRET_REFERENCE_INVALID", message, { reference });
  };
  if (reference.startsWith("env:")) {
    const value = process.env[reference.slice(4)];
    return value === undefined || value === ""
      ? refuse(`expected environment variable ${reference.slice(4)}, got none`)
      : SecretValue.of(value);
  }
  if (!reference.startsWith("file:"))
    return refuse("expected a reference of the form file:PATH or env:NAME, got another");
  const path = resolve(folder, reference.slice(5));
  let text: string;
  try {
    const stat = statSync(path);
    if (process.platform !== "win32" && (stat.mode & 0o077) !== 0) {
      return refuse(
        `expected secret file ${path} with mode 0600, got 0${(stat.mode & 0o777).toString(8)}; run chmod 600`,
      );
    }
    if (stat.size > secretBytesMax) return refuse(`expected a secret of at most ${secretBytesMax} bytes in ${path}`);
    text = readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    return refuse(`expected a readable secret file at ${path}, got none`);
  }
  return text === "" ? refuse(`expected a secret in ${path}, got an empty file`) : SecretValue.of(text);
}
