import { embeddedAdmin, keepLedgerCounts } from "@countersign/engine";
import pg from "pg";
import type { Page } from "playwright-core";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { startServer, storesOf } from "../../packages/engine/test/store/harness.ts";
// oxlint-disable-next-line countersign/imports -- the API alone, without the rest of the product
import { databaseStore } from "../../packages/server/src/api/index.ts";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { password } from "../../packages/server/test/api/fixture.ts";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { entraRow } from "../../packages/server/test/api/world.ts";
import { startBrowser } from "../browser/chromium.ts";
import { startPages } from "../browser/server.ts";

export interface ConsoleReport {
  readonly bench: "console";
  /** Credentials in the ledger. */
  readonly n: number;
  readonly seconds: number;
  /** Scripts and styles of the first page as they travel, in kilobytes. */
  readonly firstLoadKb: number;
  /** From the click on "Credentials" to the first rows painted, milliseconds; the median of several. */
  readonly gridMs: number;
  /** From the choice of a filter, or the last letter of a search, to its rows painted; the 95th percentile. */
  readonly filterMs: number;
  /** The same questions by plain fetch, nothing painted; the 95th percentile. */
  readonly floorMs: number;
  readonly ratio: number;
  /** Script heap of the page in the end, after a collection. */
  readonly heapMb: number;
  readonly complaints: readonly string[];
}

const tries = 7;
const day = 86_400_000;
/** Of the inventory; the rest is what nobody manages. */
const managedCount = 500;
const words = ["billing", "warehouse", "日本 sync", "Ærø", "payroll", "o'hara"];

/** The console over the real API and a ledger of so many credentials, in a real browser. */
export async function benchConsole(options: {
  readonly count: number;
  readonly say: (line: string) => void;
}): Promise<ConsoleReport> {
  const { count, say } = options;
  const began = performance.now();
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const server = await startServer({ flush: true });
    ends.push(() => server.end());
    const stores = storesOf(await server.database());
    ends.push(() => stores.close());
    const rows = Array.from({ length: managedCount }, (_, n) => entraRow(`application-${n}`, n));
    const target = rows.flatMap((row) => (row.procedure === "entra-client-secret" ? [row.objectId] : []));
    // As the product composes it.
    const counted = await keepLedgerCounts(stores.cs_api);
    ends.push(() => counted.stop());
    const pages = await startPages({
      store: databaseStore(stores.cs_api, () => ({ rows }), counted),
      inventory: () => ({ rows, digest: null, policyDigest: null, isProd: () => false }),
    });
    ends.push(() => pages.close());
    const { fixture: f, url } = pages;
    say(`storing ${count} credentials`);
    await fill(
      await embeddedAdmin(server.embedded, "countersign_1"),
      count,
      target,
      rows[0]?.tenant ?? "",
      f.api.now(),
    );
    const browser = await startBrowser();
    ends.push(() => browser.close());
    const page = await browser.page();
    say("opening the console");
    const loaded: Promise<number>[] = [];
    page.on("requestfinished", (request) => {
      if (/\.(js|css)$/.test(new URL(request.url()).pathname))
        loaded.push(request.sizes().then(({ responseBodySize }) => responseBodySize));
    });
    await page.goto(url);
    await page.getByLabel("Login").fill("ada");
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("navigation", { name: "Main" }).waitFor();
    const firstLoadBytes = (await Promise.all(loaded)).reduce((sum, bytes) => sum + bytes, 0);
    const grid: number[] = [];
    for (let n = 0; n < tries; n += 1) {
      await page.getByRole("link", { name: "Overview" }).click();
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      // What the page has already read must not answer for it.
      await page.reload();
      await page.getByRole("heading", { name: "Overview" }).waitFor();
      grid.push(await painted(page, () => page.getByRole("link", { name: "Credentials", exact: true }).click(), count));
    }
    const filters: number[] = [];
    const asked: string[] = [];
    for (const expiry of ["expired", "7-days", "30-days", "90-days", "later", "never"]) {
      asked.push(`expiry=${expiry}`);
      filters.push(await painted(page, () => page.getByLabel("Expires").selectOption(expiry), null));
    }
    await painted(page, () => page.getByLabel("Expires").selectOption(""), count);
    for (const text of ["warehouse-9", "日本", "object-777"]) {
      asked.push(`q=${encodeURIComponent(text)}`);
      filters.push(await painted(page, () => page.getByLabel("Search name or id").fill(text), null));
    }
    const floor = await plain(url, asked, await f.token("ada"));
    say(
      `grid ${grid.map(Math.round).join(" ")}; filters ${filters.map((ms, n) => `${asked[n]} ${Math.round(ms)}/${Math.round(floor[n] ?? 0)}`).join(", ")}`,
    );
    const session = await page.context().newCDPSession(page);
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = (await session.send("Runtime.getHeapUsage")) as { usedSize: number };
    const filterMs = percentile(filters, 95);
    const floorMs = percentile(floor, 95);
    return {
      bench: "console",
      n: count,
      seconds: Math.round((performance.now() - began) / 100) / 10,
      firstLoadKb: Math.round(firstLoadBytes / 1_024),
      gridMs: percentile(grid, 50),
      filterMs,
      floorMs,
      ratio: Math.round((filterMs / floorMs) * 100) / 100,
      heapMb: Math.round(usedSize / 1_048_576),
      complaints: browser.complaints,
    };
  } finally {
    for (const end of ends.toReversed()) await end().catch(() => {});
  }
}

/** Two credentials an application, of every expiry and kind, under names as people write them. */
async function fill(
  admin: Awaited<ReturnType<typeof embeddedAdmin>>,
  count: number,
  managed: readonly string[],
  tenant: string,
  now: number,
): Promise<void> {
  const { host, port, database } = admin.address;
  const client = new pg.Client({ host, port, database, user: admin.user, password: admin.password });
  await client.connect();
  try {
    await client.query(
      `insert into cs.credential (tenant, object_id, id, app_id, application, kind, state, holder, starts_at, expires_at, seen_at)
       select $1, coalesce(($2::text[])[n / 2 + 1], 'object-' || n / 2), 'key-' || n, 'app-' || n / 2,
         ($3::text[])[n / 2 % 6 + 1] || '-' || n / 2, case n % 5 when 0 then 'certificate' else 'client-secret' end, 'foreign',
         'application', $4::bigint - 100 * ${day}::bigint,
         case when n % 11 = 0 then null else $4::bigint + ((n::bigint * 7919) % 700 - 60) * ${day} end, $4::bigint
       from generate_series(0, $5::integer - 1) as n`,
      [tenant, managed, words, now, count],
    );
    await client.query("analyze cs.credential");
  } finally {
    await client.end();
  }
}

/**
 * Milliseconds from the event of an act until the frame with the answer to its question, by the page's own clock: asking the
 * page over and over from outside takes longer than the page does. `total`: how many must fit; null: another number than before.
 */
async function painted(page: Page, act: () => Promise<unknown>, total: number | null): Promise<number> {
  await page.evaluate(`window.painted = new Promise((resolve) => {
    const shown = () => /\\d+ of (\\d+) that fit/.exec([...document.querySelectorAll("main [role=status]")].map((one) => one.textContent).join(" "));
    const before = shown()?.[0] ?? null;
    let started = 0;
    for (const type of ["click", "input", "change"])
      addEventListener(type, ({ timeStamp }) => { started ||= timeStamp; }, { capture: true, once: true });
    new MutationObserver((_, observer) => {
      const now = started === 0 ? null : shown();
      if (now === null || (${total} === null ? now[0] === before : Number(now[1]) !== ${total})) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - started)));
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  }); null`);
  await act();
  return page.evaluate<number>("window.painted");
}

async function plain(url: string, asked: readonly string[], token: string): Promise<number[]> {
  const times: number[] = [];
  for (const query of asked) {
    const started = performance.now();
    const answer = await fetch(`${url}/v1/credentials?limit=100&${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    await answer.text();
    if (!answer.ok) throw new Error(`expected an answer to ${query}, got ${answer.status}`);
    times.push(performance.now() - started);
  }
  return times;
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0);
}
