import { z } from "zod";
import { nameField } from "../config/schema.ts";
import type { GithubSecretConsumer } from "../inventory/row.ts";
import type { ConsumerKind } from "./kind.ts";

/** Account names: letters, digits and single dashes (GitHub: at most 39 characters). */
const account = z.string().regex(/^[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}$/, "expected an account name");
const repository = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,39}\/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/, "expected owner/repository");

type Place = Pick<GithubSecretConsumer, "repository" | "organization" | "deployment">;
const place = (consumer: Place) =>
  [
    consumer.repository ?? consumer.organization ?? "",
    ...(consumer.deployment === undefined ? [] : [consumer.deployment]),
  ].join("/");

/** A secret of GitHub Actions: of a repository, of one of its environments, or of an organization. Never readable. */
export const githubSecret: ConsumerKind<GithubSecretConsumer> = {
  kind: "github-secret",
  fields: {
    connection: nameField,
    repository: repository.optional(),
    organization: account.optional(),
    /** A GitHub environment of the repository. Its name may hold slashes and blanks. */
    deployment: z
      .string()
      .regex(/^[A-Za-z0-9](?:[A-Za-z0-9._ /-]{0,98}[A-Za-z0-9._-])?$/, "expected the name of a GitHub environment")
      .optional(),
    // GitHub: letters, digits, underscore; no digit first; not GITHUB_.
    secret: z
      .string()
      .regex(
        /^(?!GITHUB_)[A-Z_][A-Z0-9_]{0,99}$/,
        "expected a secret's name in capitals that does not begin with GITHUB_",
      ),
  },
  problem({ repository: name, organization, deployment }) {
    if ((name === undefined) === (organization === undefined))
      return "expected either repository or organization, got both or neither";
    if (organization !== undefined && deployment !== undefined)
      return "expected deployment only with repository, got it with organization";
    return null;
  },
  connectionKind: "github",
  scopeName: (consumer) => `${place(consumer)}/${consumer.secret}`,
  update: {
    verb: "github.put-secret@1",
    undo: "Write the previous value, read from the system of record, into the secret again",
    undoable: true,
    describe: (consumer) => `Write the GitHub secret ${consumer.secret} of ${place(consumer)} for ${consumer.name}`,
  },
  target: ({ repository: name, organization, deployment, secret }) => ({
    ...(name === undefined ? {} : { repository: name }),
    ...(organization === undefined ? {} : { organization }),
    ...(deployment === undefined ? {} : { deployment }),
    entry: secret,
  }),
  lockKey: (consumer) => `github:${consumer.connection}/${place(consumer)}/${consumer.secret}`.toLowerCase(),
  shows: "metadata-changed",
  previous: "record",
  guarded: true,
};
