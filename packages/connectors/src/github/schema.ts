import { z } from "zod";
import { connectionBase, secretReference } from "../kit/schema.ts";

/** Entry of a connection (without `kind`) of kind `github`: one GitHub and the secrets that may be written (I12). */
export const GithubConnection = z
  .strictObject({
    ...connectionBase,
    /** `https://api.github.com`, or `https://HOST/api/v3` of a GitHub Enterprise Server. */
    url: z.url(),
    /** An app's installation: its tokens are made for one place at a time. */
    app: z
      .strictObject({
        clientId: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, "expected the client id of a GitHub App"),
        installation: z.int().min(1),
        /** The app's private key, PEM. */
        key: secretReference,
      })
      .optional(),
    /** Or a fine-grained personal access token. */
    token: secretReference.optional(),
    /** Patterns `owner/repository/SECRET`, `owner/repository/environment/SECRET` or `organization/SECRET`. */
    names: z.array(z.string().min(1).max(300)).min(1).max(200),
  })
  .refine(({ app, token }) => (app === undefined) !== (token === undefined), {
    error: "expected either app or token, got both or neither",
  });
export type GithubConnection = z.infer<typeof GithubConnection>;

/** Where a secret stands, as plans name it. */
export const secretTarget = {
  repository: z
    .string()
    .regex(/^[^/]{1,39}\/[^/]{1,100}$/)
    .optional(),
  organization: z.string().min(1).max(39).optional(),
  deployment: z.string().min(1).max(100).optional(),
  entry: z.string().min(1).max(100),
};
