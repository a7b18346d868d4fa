import { z } from "zod";
import { connectionBase } from "../kit/schema.ts";

/** Entry of a connection (without `kind`) of kind `files`: one folder and the relative paths that may be written below it (I12). */
export const FilesConnection = z.strictObject({
  ...connectionBase,
  root: z.string().min(1).max(1_024),
  /** Patterns of paths below `root`, with `/`; `*` stands for any characters within one name. */
  paths: z.array(z.string().min(1).max(512)).min(1).max(200),
});
export type FilesConnection = z.infer<typeof FilesConnection>;

/** A path below the root: no empty, `.` or `..` part, no backslash, not absolute. */
export const relativePath = z
  .string()
  .min(1)
  .max(512)
  .regex(/^(?!.*(^|\/)\.{1,2}(\/|$))[^/\\\0]+(\/[^/\\\0]+)*$/);

/** Finds a files connection by its name. Throws CONFIG_INVALID. */
export type FileRoots = (connection: string) => FilesConnection;
