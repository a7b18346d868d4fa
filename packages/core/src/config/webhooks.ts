import { z } from "zod";
import { expressionCharsMax, expressionProblem } from "../triggers/rules.ts";
import { nameField, secretField } from "./fields.ts";

const expression = (type: "bool" | "string") =>
  z
    .string()
    .min(1)
    .max(expressionCharsMax)
    .superRefine((text, context) => {
      const problem = expressionProblem(text, type);
      if (problem !== null) context.addIssue({ code: "custom", message: problem });
    });

/** A way in for events from outside: `POST /hooks/<name>`. It can only propose. */
export const WebhookForm = z.strictObject({
  name: nameField,
  /** `standard`: signed as Standard Webhooks say. `event-grid`: presents a key in a header. */
  kind: z.enum(["standard", "event-grid"]),
  /** The newest first; two, so that one can be replaced while the other is in use. */
  keys: z.array(secretField).min(1).max(2),
  perMinuteMax: z.int().min(1).max(60_000).default(120),
  rules: z
    .array(z.strictObject({ when: expression("bool"), application: expression("string").optional() }))
    .min(1)
    .max(50),
});
export type HookConfig = z.infer<typeof WebhookForm>;
