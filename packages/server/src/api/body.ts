import { CountersignError } from "@countersign/core";
import type { FastifyInstance } from "fastify";

/** Largest body of any route. */
export const bodyBytesMax = 1_048_576;
/** Deepest nesting of a body; ours need three levels. */
export const jsonDepthMax = 16;

/** Registers the only body parser: strict JSON, bounded in size and depth, no prototype members. */
export function parseJsonOnly(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const parse = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser<string>(
    "application/json",
    { parseAs: "string", bodyLimit: bodyBytesMax },
    (request, text, done) => {
      if (jsonDepth(text) > jsonDepthMax) {
        done(new CountersignError("LIMIT_EXCEEDED", `expected JSON of at most ${jsonDepthMax} levels, got more`));
        return;
      }
      void parse(request, text, done);
    },
  );
}

/** Deepest nesting of brackets outside strings; counted before parsing, so that depth costs no stack. */
export function jsonDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const char = text[index];
    if (inString) {
      if (char === "\\") index += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === "[" || char === "{") deepest = Math.max(deepest, ++depth);
    else if (char === "]" || char === "}") depth -= 1;
  }
  return deepest;
}
