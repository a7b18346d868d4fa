import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { CountersignError } from "@countersign/core";
import { writeZip } from "@countersign/evidence";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { password } from "../../packages/server/test/api/fixture.ts";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { addRun, entraRow, handMade, now, people, runId } from "../../packages/server/test/api/world.ts";
import { bundleOfPeriod, withGap } from "../bundles/period.ts";
import { accessibilityProblems } from "./axe.ts";
import { type Browser, startBrowser } from "./chromium.ts";
import { startPages } from "./server.ts";

let pages: Awaited<ReturnType<typeof startPages>>;
/** How the file of a period is made; a test may let it fail or take its time. */
let population = async (): Promise<Uint8Array> =>
  writeZip(await bundleOfPeriod(await withGap(), { sample: { seed: "mine", size: 2 } }));
const ada = people[0]?.person ?? "";
const named = { run: runId("n"), row: entraRow("service-012", 12), secret: handMade };
const browsers: Browser[] = [];

beforeAll(async () => {
  pages = await startPages({ population: () => population() });
  pages.fixture.store.unread.push({ tenant: "contoso", part: "failures", refused: true, readAt: null });
  addRun(pages.fixture.store, named.run, named.row, ada, now - 1_600_000, "Made by hand.", {
    named: named.secret,
  });
}, 120_000);
afterAll(async () => {
  for (const browser of browsers) await browser.close();
  await pages.close();
});

async function open(options: { dark?: boolean } = {}): Promise<{ browser: Browser; page: Page }> {
  const browser = await startBrowser(options);
  browsers.push(browser);
  return { browser, page: await browser.page() };
}

/** Who has signed in once need not do it again in another browser: the form has tests of its own. */
const sessions = new Map<string, Cookies>();
type Cookies = Awaited<ReturnType<ReturnType<Page["context"]>["cookies"]>>;

async function signIn(page: Page, login: string, path = "/"): Promise<void> {
  const session = sessions.get(login);
  if (session === undefined) {
    await throughForm(page, login, path);
    sessions.set(login, await page.context().cookies());
    return;
  }
  await page.context().addCookies(session);
  await page.goto(`${pages.url}${path}`);
  await page.getByRole("navigation", { name: "Main" }).waitFor();
}

async function throughForm(page: Page, login: string, path: string): Promise<void> {
  await page.goto(`${pages.url}${path}`);
  await page.getByLabel("Login").fill(login);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Main" }).waitFor();
}

const addresses: Readonly<Record<string, string>> = {
  overview: "/",
  applications: "/applications",
  application: "/applications/payroll-sync",
  inventory: "/inventory?matter=any",
  "no row fits": "/inventory?q=nothing+like+it",
  credentials: "/credentials?expiry=90-days",
  runs: "/runs",
  findings: "/findings",
  "findings of runs": "/findings?of=runs",
  "no finding fits": "/findings?q=nothing+like+it",
  changes: "/changes",
  "changes that wait": "/changes?standing=true",
  "no change fits": "/changes?q=nothing+like+it",
  outside: "/outside",
  log: "/log",
  approval: `/runs/${runId("a")}`,
  overlapping: `/runs/${runId("9")}`,
  held: `/runs/${runId("8")}`,
  evidence: `/runs/${runId("7")}?view=evidence`,
  entries: `/runs/${runId("7")}?view=entries`,
  "replacement of a named secret": `/runs/${runId("n")}`,
  period: "/period",
};

async function settled(page: Page, path: string): Promise<void> {
  await page.goto(`${pages.url}${path}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
  await expect.poll(() => page.getByText(/Loading…|Recomputing/).count(), { timeout: 10_000 }).toBe(0);
}

/** Run in the page: what of its main part no box that scrolls by itself keeps within the window. */
const beyondTheEdge = `(() => {
  const scrolls = (at) => at !== null && at.tagName !== "MAIN" &&
    (["auto", "scroll", "hidden"].includes(getComputedStyle(at).overflowX) || scrolls(at.parentElement));
  return [...document.querySelectorAll("main *")]
    .filter((at) => at.getBoundingClientRect().right > innerWidth + 1 && !scrolls(at.parentElement))
    .map((at) => at.tagName + " " + at.textContent.slice(0, 40)).slice(0, 5);
})()`;

/** What stands beyond the right edge of a small screen; what scrolls by itself may hold more than it shows. */
async function tooWide(page: Page): Promise<readonly string[]> {
  const size = page.viewportSize() ?? { width: 1440, height: 900 };
  await page.setViewportSize({ ...size, width: 1280 });
  const found = await page.evaluate<string[]>(beyondTheEdge);
  await page.setViewportSize(size);
  return found;
}

describe("every page, in light and in dark", () => {
  it("passes WCAG 2.2 AA, breaks no page rule, fits on 1280 pixels across and throws nothing", async () => {
    const { browser, page } = await open();
    const inBoth = async (name: string) => {
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await accessibilityProblems(page), `${name}, ${colorScheme}`).toEqual([]);
      }
    };
    await page.goto(pages.url);
    await page.getByLabel("Login").waitFor();
    await inBoth("sign-in");
    await signIn(page, "ada");
    for (const [name, path] of Object.entries(addresses)) {
      await settled(page, path);
      await inBoth(name);
      // Each says what this installation is not.
      for (const text of ["demo installation", "clock: virtual", /separation: none/])
        expect(await page.getByText(text).count(), name).toBe(1);
      expect(await tooWide(page), name).toEqual([]);
    }
    await settled(page, addresses.approval ?? "");
    await page.getByRole("button", { name: "Approve" }).click();
    await page.getByRole("dialog").waitFor();
    await inBoth("dialog");
    expect(browser.complaints).toEqual([]);
    expect(pages.fixture.app.cspReports.count).toBe(0);
  }, 120_000);
});

describe("high contrast", () => {
  it("can be chosen, is remembered, and passes WCAG 2.2 AA", async () => {
    const { page } = await open();
    await signIn(page, "ada", addresses.approval);
    await page.getByLabel("Theme").selectOption("contrast");
    await page.reload();
    await page.getByRole("button", { name: "Approve" }).waitFor();
    expect(await page.locator("html").getAttribute("data-theme")).toBe("contrast");
    expect(await accessibilityProblems(page)).toEqual([]);
  }, 60_000);
});

describe("the approval page", () => {
  it("shows the whole payload at 1440 x 900 without scrolling", async () => {
    const { page } = await open();
    await signIn(page, "ada", addresses.approval);
    await page.getByRole("button", { name: "Approve" }).waitFor();
    const main = page.getByRole("main");
    const text = await main.innerText();
    for (const part of [
      "billing-api",
      "8b2f6c11-5a0e-4d3c-9c41-000000000001",
      "contoso",
      "not production",
      "in 14 days",
      "Starts",
      "foreign, not touched",
      "Blast radius: 3 consumers",
      "Write the previous value as the newest version again",
      "Cannot be undone",
      "waits for Ada Lindqvist",
      "waits for Ben Okafor",
      "If nobody decides",
      "recomputed here",
      "Policy verdict",
      "Risk:",
    ]) {
      expect(text, part).toContain(part);
    }
    const overflow = await page.evaluate(
      "(() => { const area = document.querySelector('main').parentElement; return area.scrollHeight - area.clientHeight; })()",
    );
    expect(overflow).toBe(0);
  }, 60_000);

  it("tells the requester why he cannot approve, and offers no button", async () => {
    const { page } = await open();
    await signIn(page, "ada", "/applications/service-020");
    await page.getByRole("button", { name: "Request a rotation" }).click();
    await page.getByLabel("Reason").fill("Its vendor was breached.");
    await page.getByRole("button", { name: "Request", exact: true }).click();
    await page.getByText("There is no plan yet").or(page.getByText("No steps yet")).waitFor();
    expect(await page.getByRole("button", { name: "Approve" }).count()).toBe(0);
  }, 60_000);

  it("two people approve in two browsers, and the first one's page follows by itself", async () => {
    const ada = (await open()).page;
    const ben = (await open()).page;
    await signIn(ada, "ada", addresses.approval);
    await signIn(ben, "ben", addresses.approval);
    await ada.getByRole("button", { name: "Approve" }).click();
    await ada.getByRole("button", { name: "Sign and approve" }).click();
    await ada.getByText("You have already decided on this plan.").waitFor();

    await ben
      .getByRole("listitem")
      .filter({ hasText: "Ada Lindqvist" })
      .getByText("approved")
      .waitFor({ timeout: 2_000 });
    await ben.getByRole("button", { name: "Approve" }).click();
    await ben.getByRole("button", { name: "Sign and approve" }).click();
    await ben.getByRole("heading", { level: 1 }).getByText("Approved").waitFor();
    await ada.getByRole("heading", { level: 1 }).getByText("Approved").waitFor({ timeout: 2_000 });
  }, 90_000);

  it("refuses to sign a statement that says anything else than the page", async () => {
    const { page } = await open();
    await signIn(page, "ada", `/runs/${runId("y")}`);
    await page.route("**/statement", async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { statement: string };
      const forged = Buffer.from(body.statement, "base64")
        .toString()
        .replace('"decision":"reject"', '"decision":"approve"');
      await route.fulfill({ response: answer, json: { ...body, statement: Buffer.from(forged).toString("base64") } });
    });
    await page.getByRole("button", { name: "Reject" }).click();
    await page.getByLabel(/^Reason/).fill("Not this week.");
    await page.getByRole("button", { name: "Sign and reject" }).click();
    await page.getByRole("alert").waitFor();
    expect(pages.fixture.store.given.get(runId("y")) ?? []).toEqual([]);
  }, 60_000);

  it("does not offer a yes when the plan's text does not have the digest it is named by", async () => {
    const { page } = await open();
    await signIn(page, "ada");
    await page.route(`**/v1/runs/${runId("y")}`, async (route) => {
      const answer = await route.fetch();
      const body = (await answer.json()) as { plan: { text: string } };
      await route.fulfill({
        response: answer,
        json: { ...body, plan: { ...body.plan, text: body.plan.text.replace('"latest"', '"pinned"') } },
      });
    });
    await page.goto(`${pages.url}/runs/${runId("y")}`);
    await page.getByText("does not match").waitFor();
    expect(await page.getByRole("button", { name: "Approve" }).isDisabled()).toBe(true);
  }, 60_000);
});

describe("a secret made by hand", () => {
  it.each([
    ["light", false],
    ["dark", true],
  ])(
    "is replaced by name: who asks names it, in %s",
    async (_theme, dark) => {
      const { browser, page } = await open({ dark });
      await signIn(page, "ada", "/applications/service-024");
      await page.getByRole("button", { name: "Replace a secret made by hand" }).click();
      const dialog = page.getByRole("dialog");
      const which = dialog.getByLabel("Which secret");
      const secret = await which.inputValue();
      expect(secret).toMatch(/^5c7a9f10-77aa-4c0b-9c1e-/);
      await dialog.getByText(`--replace ${secret}`).waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
      // Without a reason nothing can be asked for.
      expect(await dialog.getByRole("button", { name: "Request", exact: true }).isDisabled()).toBe(true);
      await dialog.getByRole("button", { name: "Cancel" }).click();
      await dialog.waitFor({ state: "detached" });
      expect([...pages.fixture.store.records.values()].filter(({ row }) => row === "service-024")).toEqual([]);
      expect(browser.complaints).toEqual([]);
    },
    60_000,
  );

  it("is asked for with the keyboard, for the secret that was chosen", async () => {
    const { page } = await open();
    await signIn(page, "ada", "/applications/service-024");
    await page.getByRole("button", { name: "Replace a secret made by hand" }).focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    const secret = await dialog.getByLabel("Which secret").inputValue();
    await dialog.getByLabel(/^Reason/).focus();
    await page.keyboard.type("Made in the portal, for ten years.");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/runs\/run_/);
    const run = new URL(page.url()).pathname.split("/").at(-1) ?? "";
    const [entry] = await pages.fixture.store.runEntries(run, 0, 1);
    expect(JSON.parse(entry?.text ?? "")).toMatchObject({
      type: "run.requested",
      data: { target: { credential: secret }, trigger: "manual" },
    });
  }, 60_000);

  it("has an approval page that says first what nobody knows, and what stays as it is", async () => {
    const { page } = await open();
    await signIn(page, "cleo", addresses["replacement of a named secret"]);
    await page.getByRole("button", { name: "Approve" }).waitFor();
    const text = await page.getByRole("main").innerText();
    for (const part of [
      `What lives on the secret ${handMade} stands in no inventory`,
      "it was used from 192.0.2.44",
      "in no store: an owner moves whoever uses it",
      "Made by hand.",
      `Remove the named secret ${handMade}, and no other`,
      "waits for Cleo Marin",
      "stays",
    ])
      expect(text, part).toContain(part);
    const first = ["stands in no inventory", "What and why now"].map((part) => text.indexOf(part));
    expect(first).toEqual(first.toSorted((a, b) => a - b));
    // Whoever asked for it is told why he may not.
    const ada = (await open()).page;
    await signIn(ada, "ada", addresses["replacement of a named secret"]);
    await ada.getByText("You asked for this run.").waitFor();
    expect(await ada.getByRole("button", { name: "Approve" }).count()).toBe(0);
  }, 60_000);
});

describe("the inventory", () => {
  it("says of each row what to do about it, as a command or a line to add, at an address that can be shared", async () => {
    const { page } = await open();
    await signIn(page, "ada", "/inventory");
    const main = page.getByRole("main");
    await main.getByText("Beside the directories").waitFor();
    expect(await main.innerText()).toContain("main-vault: may not be listed, nothing is concluded from it");
    await page.getByLabel("Matter").selectOption("not-declared");
    await page.waitForURL(/matter=not-declared/);
    await main.getByRole("status").getByText("1 of 1 that fit").waitFor();
    const text = await main.innerText();
    const row = entraRow("payroll-sync", 3);
    for (const part of [
      `az ad app owner add --id ${row.objectId} --owner-object-id 0a0a0a0a-0000-4000-8000-000000000009`,
      "edge-vault/payroll-old points at it (tag app)",
      "{ kind: copied, name: copy-payroll-old, environment: test, pickup: P1D, cadence: P1D, connection: edge-vault",
      "192.0.2.7 signs in with it",
    ])
      expect(text, part).toContain(part);
    // A declared caller is no matter.
    expect(text).not.toContain("10.0.4.11");
    await main.getByRole("link", { name: "payroll-sync" }).first().click();
    await main.getByRole("heading", { name: "Seen in use, and declared by nobody" }).waitFor();
    const application = await main.innerText();
    expect(application).toContain("edge-vault/payroll-old points at it (tag app)");
    expect(application).toMatch(/For the business\s+Eli Brandt/);
    expect(application).toContain("owned by Ben Okafor");
    await page.goto(`${pages.url}/inventory?matter=gone`);
    await main.getByText("The directory has no such application since").waitFor();
    await main.getByRole("link", { name: /with live credentials/ }).click();
    await page.waitForURL(/\/findings\?code=unmanaged&tenant=contoso/);
  }, 60_000);
});

describe("everything of a period", () => {
  it("is asked for by its address, says that it is being made, and what the file says, which can be downloaded", async () => {
    const { browser, page } = await open();
    await signIn(page, "ada", "/period?from=2026-10-25&to=2026-11-03&seed=mine&size=2");
    await page.getByText("--from 2026-10-25 --to 2026-11-03").waitFor();
    const made = await population();
    let finish = (_: Uint8Array) => {};
    population = () => new Promise((resolve) => (finish = resolve));
    await page.getByLabel("Your own seed").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("status").getByText("written into the log and signed").waitFor();
    expect(await accessibilityProblems(page), "running").toEqual([]);
    await expect.poll(() => finish.length).toBe(1);
    finish(made);
    await page.getByText("drawn by the seed mine").waitFor();
    const text = await page.getByRole("main").innerText();
    for (const part of [
      "out of band",
      "GET /v1.0/auditLogs/directoryAudits",
      "nothing can be concluded there",
      "No look",
    ])
      expect(text, part).toContain(part);
    expect(await accessibilityProblems(page), "result").toEqual([]);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download 2026-10-25-2026-11-03.zip" }).click(),
    ]);
    expect(Buffer.from(made).equals(readFileSync(await download.path()))).toBe(true);
    expect(browser.complaints).toEqual([]);
    population = async () => made;
  }, 60_000);

  it("says why it cannot be made, and tries again", async () => {
    const { page } = await open({ dark: true });
    await signIn(page, "ada", "/period");
    const works = population;
    population = () => Promise.reject(new CountersignError("INPUT_INVALID", "expected a period that fits one bundle"));
    try {
      await page.getByRole("button", { name: "Make the file" }).click();
      await page.getByRole("alert").getByText("expected a period that fits one bundle").waitFor();
      expect(await accessibilityProblems(page)).toEqual([]);
    } finally {
      population = works;
    }
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByText("nothing can be concluded there").waitFor();
  }, 60_000);
});

describe("with the keyboard alone", () => {
  it("a person signs in, opens what waits and rejects it with a reason", async () => {
    const { page } = await open();
    await page.goto(`${pages.url}/runs/${runId("x")}`);
    await page.getByLabel("Login").focus();
    await page.keyboard.type("ada");
    await page.keyboard.press("Tab");
    await page.keyboard.type(password);
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Reject" }).waitFor();
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press("Tab");
      if ((await page.evaluate("document.activeElement.textContent")) === "Reject") break;
    }
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.getByLabel(/^Reason/).focus();
    await page.keyboard.type("The partner is in a freeze.");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1 }).getByText("Rejected").waitFor();
  }, 60_000);
});

describe("the console as a whole", () => {
  it("keeps deep links with filters through the sign-in", async () => {
    const { page } = await open();
    await throughForm(page, "ada", "/applications?q=service-0&sort=name");
    await page.getByRole("link", { name: "service-006" }).waitFor();
    expect(page.url()).toContain("q=service-0");
  }, 60_000);

  it("says in words that there is no page at an address, beside the way on", async () => {
    const { page } = await open();
    await signIn(page, "ada", "/runs/run_0/nothing");
    await page.getByText("There is no page at this address").waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByRole("link", { name: "Overview" }).click();
    await page.getByRole("heading", { name: "Overview" }).waitFor();
  }, 60_000);

  it("remembers a filter under a name, opens it again and forgets it", async () => {
    const { page } = await open();
    await signIn(page, "ada", "/applications?q=service-00&sort=name");
    await page.getByRole("button", { name: "Save this view" }).click();
    await page.getByLabel("Name of the view").fill("The first few");
    await page.keyboard.press("Enter");
    const views = page.getByRole("navigation", { name: "Saved views" });
    expect(await views.getByRole("link", { name: "The first few" }).getAttribute("aria-current")).toBe("true");
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.goto(`${pages.url}/applications`);
    await views.getByRole("link", { name: "The first few" }).click();
    await page.waitForURL(/q=service-00/);
    await expect.poll(() => page.getByRole("link", { name: /^service-/ }).count()).toBe(4);
    await views.getByRole("button", { name: "Forget the view The first few" }).click();
    expect(await views.getByRole("link").count()).toBe(0);
  }, 60_000);

  it("pages through a list on the server", async () => {
    const { page } = await open();
    await signIn(page, "ada", "/applications?sort=name");
    await page.getByText("50 of 125 that fit").waitFor();
    await page.getByRole("button", { name: "Next page" }).click();
    await page.getByRole("link", { name: "service-060" }).waitFor();
  }, 60_000);

  it("filters findings on the server, counts each choice, and leads to application and credential", async () => {
    const { page } = await open();
    await signIn(page, "ada", "/findings");
    await page.getByText("100 of 129 that fit").waitFor();
    await page.getByLabel("Finding", { exact: true }).selectOption({ label: "Ownerless (26)" });
    await page.getByText("26 of 26 that fit").waitFor();
    expect(page.url()).toContain("code=ownerless");
    await page.getByLabel("Inventory").selectOption("true");
    await page.getByText("6 of 6 that fit").waitFor();
    await page.getByRole("link", { name: "service-018" }).waitFor();
    await page.getByLabel("State").selectOption("cleared");
    await page.getByText("No finding fits").waitFor();
    await page.getByLabel("Inventory").selectOption("");
    await page.getByLabel("Finding", { exact: true }).selectOption("");
    await page.getByText("1 of 1 that fit").waitFor();
    await page.getByLabel("State").selectOption("");
    await page.getByRole("link", { name: "5c7a9f10-0", exact: true }).click();
    await page.getByRole("heading", { name: "Credentials" }).waitFor();
    expect(page.url()).toContain("q=5c7a9f10-0");
    await page.goto(`${pages.url}/findings?of=runs`);
    await page.getByText(/of \d+ that fit/).waitFor();
    expect(await page.getByRole("link", { name: "run", exact: true }).count()).toBeGreaterThan(0);
  }, 60_000);

  it("filters the directory's changes on the server, and takes an explanation by keyboard", async () => {
    const { page } = await open();
    await signIn(page, "cleo", "/changes");
    await page.getByText("100 of 120 that fit").waitFor();
    await page.getByLabel("Whose doing").selectOption({ label: "Out of band (30)" });
    await page.getByText("30 of 30 that fit").waitFor();
    await page.getByLabel("Application").fill("billing-api");
    await page.getByText("2 of 2 that fit").waitFor();
    expect(page.url()).toContain("verdict=out-of-band");
    await page.getByRole("button", { name: "Explain" }).first().focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.getByLabel(/^Reason/).focus();
    await page.keyboard.type("The vendor's migration.");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByRole("cell", { name: "The vendor's migration." }).waitFor();
    await page.getByText("Cleo Marin").first().waitFor();
    await page.getByLabel("State").selectOption("true");
    await page.getByText("1 of 1 that fit").waitFor();
    await page.getByLabel("Since").fill("2026-11-22");
    await page
      .getByText("No change fits")
      .or(page.getByText(/of \d+ that fit/))
      .waitFor();
    expect(page.url()).toContain("since=2026-11-22T00");
  }, 60_000);

  it("accepts a finding until a date: one person asks, a second one of security confirms, and it counts no more", async () => {
    const ada = (await open()).page;
    await signIn(ada, "ada", "/findings?code=ownerless&listed=true");
    await ada.getByText("6 of 6 that fit").waitFor();
    await ada.getByRole("button", { name: "Accept until…" }).first().click();
    await ada.getByLabel("Accepted until").fill("2026-12-24");
    await ada.getByLabel(/^Reason/).fill("The team is formed in December.");
    expect(await accessibilityProblems(ada), "dialog").toEqual([]);
    await ada.getByRole("button", { name: "Ask for it" }).click();
    await ada.getByText("The team is formed in December.").waitFor();
    expect(await ada.getByRole("button", { name: "Confirm" }).isDisabled()).toBe(true);
    expect(await accessibilityProblems(ada), "asked").toEqual([]);

    const cleo = (await open()).page;
    await signIn(cleo, "cleo", "/findings?state=asked");
    await cleo.getByText("1 of 1 that fit").waitFor();
    await cleo.getByRole("button", { name: "Confirm" }).click();
    await cleo.getByRole("dialog").getByRole("button", { name: "Accept" }).click();
    await cleo.getByText("No finding fits").waitFor();
    await cleo.getByLabel("State").selectOption({ label: "Accepted until a date (1)" });
    await cleo.getByText("confirmed by Cleo").waitFor();
    await ada.getByText("5 of 5 that fit").waitFor();
    await cleo.getByRole("button", { name: "Take back" }).click();
    await cleo.getByRole("dialog").getByRole("button", { name: "Take back" }).click();
    await cleo.getByText("No finding fits").waitFor();
    await ada.getByText("6 of 6 that fit").waitFor();
  }, 60_000);

  it("says what findings rest on and was not read", async () => {
    const { page } = await open();
    await signIn(page, "ada", "/findings");
    await page.getByText("Not known of contoso: which sign-ins are refused.").waitFor();
  }, 60_000);

  it("first page is at most 250 KB gzip", () => {
    const folder = new URL("../../packages/console/dist/assets/", import.meta.url);
    const bytes = readdirSync(folder)
      .filter((name) => /\.(js|css)$/.test(name))
      .reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, folder))).length, 0);
    expect(bytes).toBeLessThanOrEqual(250 * 1024);
  });

  it("sends the page itself uncached and its files for ever", async () => {
    const page = await fetch(pages.url);
    expect(page.headers.get("cache-control")).toBe("no-cache");
    const [, script] = /src="(\/assets\/[^"]+\.js)"/.exec(await page.text()) ?? [];
    const file = await fetch(`${pages.url}${script}`, { headers: { "accept-encoding": "br" } });
    expect(file.headers.get("content-encoding")).toBe("br");
    expect(file.headers.get("cache-control")).toContain("immutable");
  });
});
