import { z } from "zod";

const Attributes = z.object({
  enabled: z.boolean().nullish(),
  exp: z.number().nullish(),
  nbf: z.number().nullish(),
  created: z.number().nullish(),
});

const tags = z.record(z.string(), z.string()).nullish();

/** A secret version with its value (Key Vault REST, Secrets: get and set). Unknown fields are ignored. */
export const SecretBundle = z.object({
  id: z.string().min(1).max(512),
  value: z.string().max(32_768),
  contentType: z.string().nullish(),
  attributes: Attributes.nullish(),
  tags,
});
export type SecretBundle = z.infer<typeof SecretBundle>;

/** A line of the list of versions: no value. */
export const SecretItem = z.object({ id: z.string().min(1).max(512), attributes: Attributes.nullish(), tags });

export const SecretItems = z.object({
  value: z.array(SecretItem).nullish(),
  nextLink: z.string().max(8_192).nullish(),
});
