/**
 * Resolves when this process is asked to end (Ctrl-C, SIGTERM, a closed terminal), and from then on lets nothing cut short the
 * orderly end: one Ctrl-C often arrives twice, from the terminal and from npm, and what we started must not be left behind.
 */
export function askedToEnd(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => resolve());
  });
}
