/**
 * Templates of requests: texts with named placeholders in braces and nothing else. `{{` and `}}` stand for braces.
 * There is no expression, no condition and no call: what is not one of the names is refused when it is read.
 */

/** Names that may stand in a template; `value` only where a body is. */
export type Name = "entry" | "run" | "version" | "value";
export type Values = Readonly<Record<Exclude<Name, "value">, string>> & { readonly value?: string };

type Part = { readonly text: string } | { readonly name: Name };

/** Cuts a template into its parts. Returns a sentence for one that is none. */
export function partsOf(template: string, names: readonly Name[]): readonly Part[] | string {
  const parts: Part[] = [];
  let text = "";
  for (let at = 0; at < template.length; at += 1) {
    const [char, next] = [template[at] ?? "", template[at + 1]];
    if (char !== "{" && char !== "}") text += char;
    else if (next === char) {
      text += char;
      at += 1;
    } else {
      const end = template.indexOf("}", at);
      const name = names.find((one) => one === template.slice(at + 1, end));
      if (char === "}" || end < 0 || name === undefined)
        return `expected placeholders {${names.join("}, {")}} and doubled braces, got another brace`;
      parts.push({ text }, { name });
      text = "";
      at = end;
    }
  }
  return [...parts, { text }];
}

/** Puts values into a template that was accepted before; each goes through `escape` first. */
export function render(template: string, values: Values, escape: (value: string) => string = (value) => value): string {
  const parts = partsOf(template, ["entry", "run", "version", "value"]);
  if (typeof parts === "string") throw new TypeError(parts);
  return parts.map((part) => ("text" in part ? part.text : escape(values[part.name] ?? ""))).join("");
}

/** The same in every text of a JSON value; keys stay as they are. Values are put in after parsing, so none can break out. */
export function renderJson(value: unknown, values: Values): unknown {
  if (typeof value === "string") return render(value, values);
  if (Array.isArray(value)) return value.map((item) => renderJson(item, values));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renderJson(item, values)]));
}

/** Every text of a JSON value. */
export function* textsOf(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  else if (typeof value === "object" && value !== null) for (const item of Object.values(value)) yield* textsOf(item);
}
