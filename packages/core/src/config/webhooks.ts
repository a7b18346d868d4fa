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

/** What to do about an event: the first rule that holds decides. */
const ruleForm = z.strictObject({
  when: expression("bool"),
  application: expression("string").optional(),
  credential: expression("string").optional(),
});
/** The rules over what the directory's own log tells of: which change it is, is known there. */
export const AuditRulesForm = z.array(ruleForm).max(50).default([]);

/** A way in for events from outside: `POST /hooks/<name>`. It can only propose. */
export const WebhookForm = z.strictObject({
  name: nameField,
  /** `standard`: signed as Standard Webhooks say. `event-grid`: presents a key in a header. */
  kind: z.enum(["standard", "event-grid"]),
  /** The newest first; two, so that one can be replaced while the other is in use. */
  keys: z.array(secretField).min(1).max(2),
  perMinuteMax: z.int().min(1).max(60_000).default(120),
  rules: z
    .array(ruleForm.extend({ change: expression("string").optional() }))
    .min(1)
    .max(50),
});
export type HookConfig = z.infer<typeof WebhookForm>;
