/**
 * Passes on to a child what asks this process to end, and leaves it to the child when and how.
 * @param {import("node:child_process").ChildProcess} child
 */
export function forwardSignals(child) {
  for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the whole group; a second one would mean "at once" to the child.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    });
  }
}
