const PATTERN = /^workload:(.+)@(\d+)$/;

/** `application_name` of a hosted workload: its name and the virtual time of this sign-in. */
export function workloadName(name: string, atMs: number): string {
  return `workload:${name}@${atMs}`;
}

/** The reverse; null for a connection from outside. */
export function readWorkloadName(applicationName: string): { name: string; atMs: number } | null {
  const match = PATTERN.exec(applicationName);
  return match === null ? null : { name: String(match[1]), atMs: Number(match[2]) };
}
