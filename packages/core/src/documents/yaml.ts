import { isAlias, isCollection, isNode, isPair, isScalar, LineCounter, type Node, parseDocument } from "yaml";
import type { z } from "zod";
import { checkedDocument, type ReadDocument } from "./checked.ts";
import { hiddenCharacter, isPrototypeKey } from "./hostile.ts";
import { documentLimits } from "./limits.ts";
import { keyAt, nodeAt } from "./places.ts";
import { type DocumentCode, documentError, type Problem, pathText } from "./problem.ts";

/**
 * Reads one YAML 1.2 document (core schema) strictly: no anchors, aliases, tags, merge keys, duplicate keys, hidden
 * characters or prototype keys; size and depth limited. Throws a {@link CountersignError} with `code` that lists every
 * problem as `line:col path: expected X, got Y`.
 */
export function readYaml<T>(input: Uint8Array | string, code: DocumentCode, schema: z.ZodType<T>): ReadDocument<T> {
  const fail = (problems: readonly Problem[]): never => {
    throw documentError(code, problems);
  };
  const text = typeof input === "string" ? input : decode(input, fail);
  if (text.length > documentLimits.bytesMax)
    fail([start(`expected at most ${documentLimits.bytesMax} bytes, got ${text.length}`)]);
  const lines = new LineCounter();
  const hidden = hiddenCharacter(text);
  if (hidden !== null) {
    const before = text.slice(0, hidden.at).split("\n");
    fail([
      {
        line: before.length,
        col: (before.at(-1)?.length ?? 0) + 1,
        path: "",
        message: `expected visible characters only, got ${hidden.name}`,
      },
    ]);
  }
  const root = compose(text, lines, fail);
  const at = (node: Node | null | undefined): { line: number; col: number } => {
    const position = lines.linePos(node?.range?.[0] ?? 0);
    return { line: Math.max(1, position.line), col: Math.max(1, position.col) };
  };
  const hostile = hostileNodes(root.contents, text.includes("\\"), at);
  if (hostile.length > 0) fail(hostile);

  const plain: unknown = root.toJS({ maxAliasCount: 0 });
  const problem = (path: readonly PropertyKey[], message: string): Problem => ({
    ...at(nodeAt(root.contents, path)),
    path: pathText(path),
    message,
  });
  return checkedDocument(plain, schema, code, problem, (path, key) => ({
    ...problem(path, ""),
    ...at(keyAt(nodeAt(root.contents, path), key)),
  }));
}

const start = (message: string): Problem => ({ line: 1, col: 1, path: "", message });

function decode(bytes: Uint8Array, fail: (problems: readonly Problem[]) => never): string {
  if (bytes.byteLength > documentLimits.bytesMax)
    fail([start(`expected at most ${documentLimits.bytesMax} bytes, got ${bytes.byteLength}`)]);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return fail([start("expected UTF-8, got other bytes")]);
  }
}

function compose(text: string, lines: LineCounter, fail: (problems: readonly Problem[]) => never) {
  const tooDeep = () => fail([start(`expected nesting of at most ${documentLimits.depthMax} levels, got more`)]);
  // The composer is recursive: openers in a row would exhaust the stack before any depth could be counted.
  if (/(?:[[{][\s]*){64}|(?:[-?:][ \t]+){64}/.test(text)) tooDeep();
  try {
    const root = parseDocument(text, {
      version: "1.2",
      schema: "core",
      uniqueKeys: true,
      strict: true,
      stringKeys: true,
      merge: false,
      lineCounter: lines,
      prettyErrors: false,
      logLevel: "error",
    });
    const problems = [...root.errors, ...root.warnings].map((error) => {
      const { line, col } = lines.linePos(error.pos[0]);
      return {
        line: Math.max(1, line),
        col: Math.max(1, col),
        path: "",
        message: `expected valid YAML, got ${error.code.toLowerCase().replaceAll("_", " ")}`,
      };
    });
    if (problems.length > 0) fail(problems);
    if (root.contents === null) fail([start("expected a mapping, got an empty document")]);
    return root;
  } catch (error) {
    if (error instanceof RangeError) return tooDeep();
    throw error;
  }
}

/**
 * What is well-formed YAML and still refused, because readers of the file could not see what it means. `escapes`: whether
 * the text has any, as without one no value can hold a character that was not seen in the text.
 */
function hostileNodes(
  root: Node | null,
  escapes: boolean,
  at: (node: Node | null | undefined) => { line: number; col: number },
): Problem[] {
  const problems: Problem[] = [];
  const say = (node: Node, message: string) => problems.push({ ...at(node), path: "", message });
  /** False: nothing further is looked at. */
  const look = (node: unknown, depth: number, isKey: boolean): boolean => {
    if (!isNode(node)) return true;
    if (depth > documentLimits.depthMax) {
      say(node, `expected nesting of at most ${documentLimits.depthMax} levels, got more`);
      return false;
    }
    if (isAlias(node)) say(node, "expected no aliases, got one");
    else if ("anchor" in node && node.anchor !== undefined) say(node, "expected no anchors, got one");
    if (node.tag !== undefined) say(node, "expected no tags, got one");
    if (isScalar(node) && typeof node.value === "string") {
      const hidden = escapes ? hiddenCharacter(node.value) : null;
      if (hidden !== null) say(node, `expected visible characters only, got ${hidden.name}`);
      if (node.value.length > documentLimits.textMax)
        say(node, `expected at most ${documentLimits.textMax} characters, got ${node.value.length}`);
      if (isKey && (isPrototypeKey(node.value) || node.value === "<<"))
        say(node, `expected an ordinary key, got ${node.value}`);
    }
    if (!isCollection(node)) return true;
    return node.items.every((item) =>
      isPair(item)
        ? look(item.key, depth + 1, true) && look(item.value, depth + 1, false)
        : look(item, depth + 1, false),
    );
  };
  look(root, 1, false);
  return problems;
}
