import { isCode, SecretValue } from "@countersign/core";
import { z } from "zod";
import type { Leave } from "../kit/leave.ts";
import type { Records, StoredVersion, TargetQuestion, TargetReaders, TargetReading } from "../kit/seams.ts";
import { listSettings, readIdentity, readReference, type Subscription, type Subscriptions } from "./app.ts";
import { followsRecord, isReference } from "./reference.ts";
import { settingTarget } from "./schema.ts";

const Target = z.object({ connection: z.string(), ...settingTarget });
type Target = z.infer<typeof Target>;

/** Reads settings and references of apps, and compares them with the record. */
export function appServiceTargets(subscriptions: Subscriptions, records: Records): TargetReaders {
  type Look = (
    leave: Leave,
    to: Subscription,
    target: Target,
    question: TargetQuestion,
    latest: StoredVersion | null,
  ) => Promise<Omit<TargetReading, "identity" | "identityKind">>;

  const reader =
    (look: Look) =>
    async (leave: Leave, question: TargetQuestion, latest: StoredVersion | null): Promise<TargetReading> => {
      const target = Target.parse(question.target);
      const to = subscriptions(target.connection);
      try {
        const { identity, kind } = await readIdentity(leave, to, target);
        return { identity, identityKind: kind, ...(await look(leave, to, target, question, latest)) };
      } catch (error) {
        if (!isCode(error, "OUTSIDE_NOT_FOUND")) throw error;
        return { identity: {}, identityKind: "name-only", exists: false, holds: null, matchesRecord: null };
      }
    };

  return {
    "app-setting": reader(async (leave, to, target, _question, latest) => {
      const held = (await listSettings(leave, to, target)).body[target.setting];
      const exists = held !== undefined && !isReference(held);
      const matchesRecord = exists && latest !== null ? SecretValue.of(held).equals(latest.value) : null;
      return { exists, holds: matchesRecord === true ? (latest?.version ?? null) : null, matchesRecord };
    }),
    "app-reference": reader(async (leave, to, target, { record }, latest) => {
      const { reference, activeVersion } = await readReference(leave, to, target);
      const exists = followsRecord(reference ?? "", records, record);
      const holds = activeVersion ?? null;
      const matchesRecord = latest === null || holds === null ? null : holds === latest.version;
      return { exists, holds, matchesRecord, behind: exists && matchesRecord !== true };
    }),
  };
}
