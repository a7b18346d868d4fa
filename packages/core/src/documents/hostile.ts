/**
 * Characters that make a document read differently for a person than for the machine: control characters, text
 * direction overrides ("Trojan Source", CVE-2021-42574), invisible joiners and other line ends.
 */
const hidden =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** Keys that change the meaning of a JavaScript object instead of its content. */
const prototypeKeys = new Set(["__proto__", "constructor", "prototype"]);

/** Where the first hidden character stands and which it is, or null. */
export function hiddenCharacter(text: string): { readonly at: number; readonly name: string } | null {
  const found = hidden.exec(text);
  if (found === null) return null;
  return { at: found.index, name: `U+${found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}` };
}

/** Whether a mapping key is one of `__proto__`, `constructor`, `prototype`. */
export function isPrototypeKey(key: string): boolean {
  return prototypeKeys.has(key);
}
