import { z } from "zod";

/** Names used in URLs, on the command line and as references between documents. */
export const nameField = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,62}$/, "expected a name of a-z, 0-9, dot, dash and underscore, at most 63 characters");

/** Object ids, client ids and tenant ids as the directory prints them, lower case. */
export const guidField = z
  .string()
  .regex(
    /^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/,
    "expected an id such as 11111111-2222-4333-8444-555555555555",
  )
  .transform((id) => id.toLowerCase());

/** Opaque id of a person. */
export const personField = z.string().regex(/^p_[0-9a-f]{16}$/, "expected a person id: p_ and 16 hex digits");

/** A role people hold towards an application; the same form as in evidence. */
export const roleField = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,31}$/, "expected a role of a-z, 0-9 and dash, at most 32 characters");

/** Where a secret is found; configuration never holds one (design: secret references only). */
export const secretField = z
  .string()
  .max(500)
  .superRefine((text, context) => {
    if (text.startsWith("keyvault:"))
      context.addIssue({
        code: "custom",
        message: "expected file:<path> or env:<NAME>, got keyvault:, which is reserved and not supported by this build",
      });
    else if (!/^(?:file:[^\s].*|env:[A-Za-z_][A-Za-z0-9_]*)$/.test(text))
      context.addIssue({
        code: "custom",
        message:
          "expected a secret reference (file:<path> or env:<NAME>), got something else; a secret itself may not stand here",
      });
  });

/** An address without anything that could be a secret. */
export const urlField = z
  .string()
  .max(500)
  .refine(isPlainUrl, { error: "expected an http or https address without user, query and fragment" });

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  return (
    /^https?:$/.test(url.protocol) && url.username === "" && url.password === "" && url.search === "" && url.hash === ""
  );
}
