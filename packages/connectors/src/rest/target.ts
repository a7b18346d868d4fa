import { isCode } from "@countersign/core";
import { z } from "zod";
import type { TargetReaders } from "../kit/seams.ts";
import { entryTarget } from "./schema.ts";
import { identityOf, readEntry, type Services, showsOf } from "./service.ts";

const Target = z.object({ connection: z.string(), ...entryTarget });

/** Reads an entry as far as its connection describes how. */
export function restTargets(services: Services): TargetReaders {
  return {
    async rest(leave, question, latest) {
      const target = Target.parse(question.target);
      const to = services(target.connection);
      const { read, identity } = to.connection;
      const values = { entry: target.entry, run: "", version: latest?.version ?? "" };
      const common = {
        identityKind: identity === undefined ? ("name-only" as const) : ("immutable" as const),
        shows: showsOf(to.connection),
      };
      try {
        const facts = await identityOf(leave, to, values);
        const shown = await readEntry(leave, to, values);
        const isRead = read?.value !== undefined && latest !== null;
        // A value that should be there and is not is no match.
        const matchesRecord = isRead ? shown?.value?.equals(latest.value) === true : null;
        return {
          ...common,
          exists: true,
          identity: facts,
          holds: matchesRecord === true ? (latest?.version ?? null) : null,
          matchesRecord,
          stamp: shown?.mark ?? null,
        };
      } catch (error) {
        if (!isCode(error, "OUTSIDE_NOT_FOUND")) throw error;
        return { ...common, exists: false, identity: {}, holds: null, matchesRecord: null };
      }
    },
  };
}
