import { z } from "zod";
import { plainText } from "../plain-text.ts";
import { entryMarker, type FoundTicket, type TicketSystem, ticketClient } from "./system.ts";

const Row = z.object({
  sys_id: z.string().min(1),
  number: z.string(),
  state: z.string(),
  active: z.string().default("true"),
  correlation_id: z.string().default(""),
});
const Rows = z.object({ result: z.array(Row) });
const One = z.object({ result: Row });
const Journal = z.object({ result: z.array(z.object({ value: z.string() })) });

const fields = "sys_id,number,state,active,correlation_id";

/**
 * A table of ServiceNow by the Table API. The key stands in `correlation_id`, on which there is no unique index by
 * itself. A term that it does not understand is ignored and returns every row, so each hit's key is compared.
 */
export function serviceNow(
  options: Parameters<typeof ticketClient>[0] & {
    readonly table: string;
    readonly assignmentGroup: string | null;
    readonly resolvedState: string;
    readonly closeCode: string;
  },
): TicketSystem {
  const exchange = ticketClient(options);
  const table = `/api/now/table/${options.table}`;
  const recordPath = (id: string) => `${table}/${encodeURIComponent(id)}`;
  const shape = { sysparm_fields: fields, sysparm_exclude_reference_link: "true" };
  const found = (row: z.output<typeof Row>): FoundTicket => ({
    id: row.sys_id,
    key: row.number,
    url: new URL(`/nav_to.do?uri=${encodeURIComponent(`${options.table}.do?sys_id=${row.sys_id}`)}`, options.url).href,
    closed: row.active === "false" || row.state === options.resolvedState,
  });

  return {
    kind: "servicenow",
    lagMs: 0,
    async find(key, ctx) {
      const query = { sysparm_query: `correlation_id=${key}^ORDERBYsys_created_on`, sysparm_limit: "5", ...shape };
      const { body } = await exchange({ method: "GET", path: table, query, expect: [200], answer: Rows }, ctx);
      return body.result.filter((row) => row.correlation_id === key).map(found);
    },
    async create(key, title, text, ctx) {
      const json = {
        short_description: plainText(title, 150),
        description: text,
        correlation_id: key,
        correlation_display: "Countersign",
        ...(options.assignmentGroup === null ? {} : { assignment_group: options.assignmentGroup }),
      };
      const { body } = await exchange(
        { method: "POST", path: table, query: shape, json, expect: [201], answer: One },
        ctx,
      );
      return found(body.result);
    },
    async read(id, ctx) {
      const { status, body } = await exchange(
        {
          method: "GET",
          path: recordPath(id),
          query: shape,
          expect: [200, 404],
          answer: One.or(z.looseObject({ error: z.unknown() })),
        },
        ctx,
      );
      return status === 404 || !("result" in body) ? null : found((body as z.output<typeof One>).result);
    },
    async hasEntry(id, entry, ctx) {
      const query = {
        sysparm_query: `element_id=${id}^element=work_notes^ORDERBYDESCsys_created_on`,
        sysparm_fields: "value",
        sysparm_limit: "100",
      };
      const { body } = await exchange(
        { method: "GET", path: "/api/now/table/sys_journal_field", query, expect: [200], answer: Journal },
        ctx,
      );
      return body.result.some(({ value }) => value.includes(entryMarker(entry)));
    },
    async append(id, entry, text, ctx) {
      // The journal only grows; work notes are not shown to customers.
      const json = { work_notes: `${text}\n${entryMarker(entry)}` };
      await exchange({ method: "PATCH", path: recordPath(id), query: shape, json, expect: [200], answer: null }, ctx);
    },
    async close(id, ctx) {
      const json = {
        state: options.resolvedState,
        close_code: options.closeCode,
        close_notes: "The rotation completed.",
      };
      await exchange({ method: "PATCH", path: recordPath(id), query: shape, json, expect: [200], answer: null }, ctx);
    },
  };
}
