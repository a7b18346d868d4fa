import { z } from "zod";
import { nameField } from "../config/schema.ts";
import type { DevopsVariableConsumer } from "../inventory/row.ts";
import type { ConsumerKind } from "./kind.ts";

/** A secret variable of an Azure DevOps variable group. The group is replaced as a whole by each write. */
export const devopsVariable: ConsumerKind<DevopsVariableConsumer> = {
  kind: "devops-variable",
  fields: {
    connection: nameField,
    project: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$/, "expected a project's name"),
    /** The group's number: a name could be taken over by another group. */
    group: z.int().min(1).max(2_147_483_647),
    variable: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,126}$/, "expected a variable's name"),
  },
  connectionKind: "devops",
  scopeName: ({ project, group, variable }) => `${project}/${group}/${variable}`,
  update: {
    verb: "devops.set-variable@1",
    undo: "Write the previous value, read from the system of record, into the variable again",
    undoable: true,
    describe: ({ name, project, group, variable }) =>
      `Write variable ${variable} of group ${group} in project ${project} for ${name}`,
  },
  target: ({ project, group, variable }) => ({ project, group, variable }),
  // A group belongs to the organization and may be shown in several projects: it is one container all the same.
  lockKey: ({ connection, group }) => `container:${connection}/${group}`,
  shows: "metadata-changed",
  previous: "record",
};
