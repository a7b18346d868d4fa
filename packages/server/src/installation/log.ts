/** Writes what the process does: one JSON object a line on stderr. Facts are ids, codes and numbers, never a value. */
export type Log = (event: string, facts?: Readonly<Record<string, unknown>>) => void;

/** A log for one role; `write` is where lines go. */
export function createLog(role: string, write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  return (event, facts = {}) => write(`${JSON.stringify({ role, event, ...facts })}\n`);
}
