import { z } from "zod";

/** Name of an entry in a system of record (Key Vault: objects' names). */
export const entryField = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9-]{0,126}$/, "expected a name of letters, digits and dashes, at most 127 characters");

/** A path below the root of a `files` connection. */
export const pathField = z
  .string()
  .max(300)
  .refine(
    (text) =>
      /^[A-Za-z0-9_][A-Za-z0-9._/-]*$/.test(text) &&
      !text.split("/").some((part) => part === "" || part === "." || part === ".."),
    {
      error: "expected a relative path without . and ..",
    },
  );
