import { z } from "zod";
import { connectionBase, secretReference } from "../kit/schema.ts";
import { pathProblem } from "./json-path.ts";
import { type Name, partsOf, textsOf } from "./template.ts";

const plain = ["entry", "run", "version"] as const satisfies readonly Name[];
const withValue = [...plain, "value"] as const satisfies readonly Name[];

function template(names: readonly Name[], lengthMax: number) {
  return z
    .string()
    .max(lengthMax)
    .superRefine((text, context) => {
      const parts = partsOf(text, names);
      if (typeof parts === "string") context.addIssue({ code: "custom", message: parts });
    });
}

/** A path below the base: no empty, `.` or `..` part, nothing encoded, no query and no fragment. */
const path = template(plain, 300).refine(
  (text) =>
    /^\/[A-Za-z0-9._~!$&'()*+,;=:@/{}-]*$/.test(text) &&
    text
      .slice(1)
      .split("/")
      .every((part) => part !== "" && !/^\.{1,2}$/.test(part)),
  { error: "expected a path such as /v1/entries/{entry}, without .., without a query and without anything encoded" },
);

/** Headers that say how the message is sent, or who sends it. */
const ownHeaders =
  /^(?:accept-encoding|authorization|connection|content-length|content-type|cookie|expect|forwarded|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|user-agent|via|x-forwarded-.*)$/i;
const headers = z
  .record(
    z
      .string()
      .max(60)
      .regex(/^[A-Za-z0-9-]+$/, "expected a header's name")
      .refine((name) => !ownHeaders.test(name), { error: "expected a header that a request may set, got one of ours" }),
    template(plain, 300).refine((text) => /^[\u0020-\u007e]*$/.test(text), { error: "expected printable characters" }),
  )
  .default({});

const request = {
  path,
  query: z.record(z.string().max(60), template(plain, 300)).default({}),
  headers,
  status: z.array(z.int().min(200).max(299)).min(1).max(10).default([200]),
};

const jsonPath = z.string().superRefine((text, context) => {
  const message = pathProblem(text);
  if (message !== null) context.addIssue({ code: "custom", message });
});

/** A JSON body whose texts are templates; at least one of them holds the value. */
const body = z.record(z.string().max(100), z.json()).superRefine((value, context) => {
  const texts = [...textsOf(value)];
  for (const text of texts) {
    const parts = partsOf(text, withValue);
    if (typeof parts === "string") context.addIssue({ code: "custom", message: parts });
  }
  if (!texts.some((text) => text.includes("{value}")))
    context.addIssue({ code: "custom", message: "expected {value} in the body, got none" });
  if (JSON.stringify(value).length > 10_000)
    context.addIssue({ code: "custom", message: "expected a body of at most 10000 characters, got more" });
});

/**
 * Entry of a connection (without `kind`) of kind `rest`: one host, the requests that are made there, and the entries that
 * may be written (I12). People write it, so it can say nothing but what stands here.
 */
export const RestConnection = z.strictObject({
  ...connectionBase,
  /** The only host that is called; every path is below it. */
  url: z.url(),
  auth: z
    .union([
      z.strictObject({ bearer: secretReference }),
      z.strictObject({ basic: z.strictObject({ user: z.string().min(1).max(200), secret: secretReference }) }),
      z.strictObject({
        header: z.strictObject({ name: z.string().regex(/^[A-Za-z0-9-]{1,60}$/), secret: secretReference }),
      }),
    ])
    .optional(),
  names: z.array(z.string().min(1).max(300)).min(1).max(200),
  write: z.strictObject({
    ...request,
    method: z.enum(["PUT", "POST", "PATCH"]),
    body,
    /** `idempotent`: the same one again does no harm; `once`: it is never sent again without knowing. */
    retry: z.enum(["idempotent", "once"]),
  }),
  /** What shows the entry afterwards: its value, the version that was sent along, or its own mark of the last write. */
  read: z
    .strictObject({
      ...request,
      value: jsonPath.optional(),
      version: jsonPath.optional(),
      changed: jsonPath.optional(),
    })
    .refine(({ value, version, changed }) => [value, version, changed].some((one) => one !== undefined), {
      error: "expected value, version or changed, got none of them",
    })
    .optional(),
  /** What else must hold before the write counts, e.g. that the service says it has taken it. */
  verify: z
    .strictObject({
      ...request,
      expect: z
        .array(z.strictObject({ at: jsonPath, equals: template(plain, 300) }))
        .min(1)
        .max(10),
    })
    .optional(),
  /** Facts that another entry of the same name would not have (I11). */
  identity: z
    .strictObject({
      ...request,
      facts: z
        .record(z.string().regex(/^[a-z][A-Za-z0-9]{0,39}$/), jsonPath)
        .refine((facts) => Object.keys(facts).length > 0 && Object.keys(facts).length <= 10, {
          error: "expected between 1 and 10 facts",
        }),
    })
    .optional(),
});
export type RestConnection = z.infer<typeof RestConnection>;

/** Which entry, as plans name it. */
export const entryTarget = { entry: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,126}$/) };
