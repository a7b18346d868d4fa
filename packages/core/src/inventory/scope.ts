/** A pattern of names or paths: `*` stands for any run of characters except `/`; everything else is itself. */
const pattern = /^[A-Za-z0-9._*/-]{1,200}$/;

/** Whether the text may be a pattern: plain names, `*`, no `..`, no leading or doubled slash, not only stars. */
export function isPattern(text: string): boolean {
  return (
    pattern.test(text) &&
    !text.startsWith("/") &&
    !text.includes("//") &&
    !text.split("/").includes("..") &&
    !/^[*/.]*$/.test(text)
  );
}

/**
 * Whether `name` fits the pattern, compared character by character; the pattern never becomes a regular expression, so
 * nothing in it can mean more than it says. Linear in the product of both lengths.
 */
export function matchesPattern(name: string, glob: string): boolean {
  if (name.split("/").some((part) => part === ".." || part === "." || part === "") || name.includes("\\")) return false;
  // reached[j]: the pattern up to here fits the first j characters of the name.
  let reached: boolean[] = [true, ...Array.from({ length: name.length }, () => false)];
  for (const token of glob) {
    const next: boolean[] = Array.from({ length: name.length + 1 }, () => false);
    for (let j = 0; j <= name.length; j += 1) {
      if (token === "*") next[j] = reached[j] === true || (j > 0 && next[j - 1] === true && name[j - 1] !== "/");
      else next[j] = j > 0 && reached[j - 1] === true && name[j - 1] === token;
    }
    reached = next;
  }
  return reached[name.length] === true;
}

/** Whether any pattern of a connection scope fits. No patterns = nothing fits (deny by default). */
export function inScope(name: string, scope: readonly string[]): boolean {
  return scope.some((glob) => matchesPattern(name, glob));
}
