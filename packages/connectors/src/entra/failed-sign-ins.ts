import type { FailedSignIns, ReadContext, SignInFailure } from "@countersign/core";
import { z } from "zod";
import { limits } from "../kit/limits.ts";
import { isoOf, msOf, vendorTime } from "../kit/time.ts";
import { graphCall, type Tenant } from "./graph.ts";
import { printedId } from "./schema.ts";
import { secretRefusals } from "./sign-in-codes.ts";
import { unavailable } from "./sign-in-log.ts";

/** A page is taken as it is, a line of another form is counted: one odd line is no reason to know nothing. */
const Page = z.object({ value: z.array(z.unknown()).max(5_000), "@odata.nextLink": z.string().max(8_192).nullish() });

/** A line of the sign-in log (Graph beta, signIn), what is needed of it. */
const Line = z.object({
  id: z.string().min(1).max(128),
  createdDateTime: vendorTime,
  appId: printedId.regex(/^[\x21-\x7e]+$/),
  ipAddress: z.string().max(64).nullish(),
  servicePrincipalCredentialKeyId: z
    .string()
    .regex(/^[\x21-\x7e]{0,64}$/)
    .toLowerCase()
    .nullish(),
  status: z.object({ errorCode: z.int() }),
});

/** Of one secret this many addresses are kept; with more, no list of them says anything. */
const addressesMax = 4;

/**
 * Sign-ins of service principals since a time that failed for their secret, newest first, summed up by application,
 * credential and error (Graph beta, signIn: `status/errorCode` may be filtered by). The most recent pages are read, not all
 * for ever. Needs `AuditLog.Read.All` and a P1 or P2 licence; null when the log is not to be had.
 */
export async function failedSignIns(ctx: ReadContext, tenant: Tenant, since: number): Promise<FailedSignIns | null> {
  const own = new Set(tenant.settings.ownAddresses ?? []);
  const sums = new Map<string, SignInFailure & { addresses: string[] }>();
  let [pages, cut] = [0, false];

  async function read(error: number): Promise<boolean> {
    const seen = new Set<string>();
    let link: string | null = null;
    for (let page = 0; ; page += 1) {
      if (page >= limits.failurePagesMax) {
        cut = true;
        return true;
      }
      const body: z.infer<typeof Page> | null = await pageOf(ctx, tenant, { error, since, link });
      if (body === null) return false;
      pages += 1;
      for (const value of body.value) {
        const parsed = Line.safeParse(value);
        // What cannot be read may be one of those that are looked for.
        if (!parsed.success) cut = true;
        else if (parsed.data.status.errorCode === error && !seen.has(parsed.data.id)) {
          seen.add(parsed.data.id);
          add(parsed.data);
        }
      }
      link = body["@odata.nextLink"] ?? null;
      if (link === null) return true;
    }
  }

  function add({ createdDateTime, appId, ipAddress, servicePrincipalCredentialKeyId, status }: z.infer<typeof Line>) {
    const address = ipAddress || null;
    if (address !== null && own.has(address)) return;
    const at = msOf(createdDateTime);
    const credential = servicePrincipalCredentialKeyId || null;
    const key = `${appId} ${credential ?? ""} ${status.errorCode}`;
    const sum = sums.get(key) ?? {
      appId,
      credential,
      error: status.errorCode,
      firstAt: at,
      lastAt: at,
      count: 0,
      addresses: [],
    };
    const isNew = address !== null && !sum.addresses.includes(address) && sum.addresses.length < addressesMax;
    sums.set(key, {
      ...sum,
      firstAt: Math.min(sum.firstAt, at),
      lastAt: Math.max(sum.lastAt, at),
      count: sum.count + 1,
      addresses: isNew ? [...sum.addresses, address].toSorted() : sum.addresses,
    });
  }

  for (const error of [...secretRefusals].map((code) => Number(code.replace("AADSTS", ""))))
    if (!(await read(error))) return null;
  return { found: [...sums.values()], pages, cut };
}

/** Null: there is no such log. A later page that cannot be had is an error: the log is there. */
async function pageOf(
  ctx: ReadContext,
  tenant: Tenant,
  { error, since, link }: { readonly error: number; readonly since: number; readonly link: string | null },
): Promise<z.infer<typeof Page> | null> {
  const call = {
    name: "signIns.list",
    method: "GET",
    path: "/beta/auditLogs/signIns",
    query: {
      $filter: `signInEventTypes/any(t:t eq 'servicePrincipal') and status/errorCode eq ${error} and createdDateTime ge ${isoOf(since)}`,
      $top: "1000",
    },
    retry: "safe",
    effect: false,
    expect: [200],
    answer: Page,
    as: "reader",
    report: true,
    priority: "low",
  } as const;
  try {
    return (await graphCall(ctx, tenant, call, link === null ? undefined : tenant.graph.follow(link))).body;
  } catch (failure) {
    if (link === null && unavailable(failure)) return null;
    throw failure;
  }
}
