/** Whether `text` matches one of `patterns`; `*` stands for any characters except `/`, everything else for itself. */
export function matchesAny(text: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => expression(pattern).test(text));
}

function expression(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join("[^/]*")}$`, "u");
}
