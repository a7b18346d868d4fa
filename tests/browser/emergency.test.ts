import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { emergencies, seedEmergencies } from "../../packages/server/test/api/emergencies.ts";
// oxlint-disable-next-line countersign/imports -- a test's own set-up, which no package exports
import { password } from "../../packages/server/test/api/fixture.ts";
import { accessibilityProblems } from "./axe.ts";
import { type Browser, startBrowser } from "./chromium.ts";
import { startPages } from "./server.ts";

const pictures = process.env.PICTURES === undefined ? null : join(import.meta.dirname, "../../docs/pictures");
const { waiting, alone, objected } = emergencies;

let pages: Awaited<ReturnType<typeof startPages>>;
const browsers: Browser[] = [];

beforeAll(async () => {
  pages = await startPages();
  await seedEmergencies(pages.fixture.store);
}, 120_000);
afterAll(async () => {
  for (const browser of browsers) await browser.close();
  await pages.close();
});

/** One person in a browser of his own, on a page. */
async function person(login: string, path: string, dark = false): Promise<{ page: Page; browser: Browser }> {
  const browser = await startBrowser({ dark });
  browsers.push(browser);
  const page = await browser.page();
  await page.goto(`${pages.url}${path}`);
  await page.getByLabel("Login").fill(login);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Main" }).waitFor();
  return { page, browser };
}

async function clean(page: Page, name: string): Promise<void> {
  await expect.poll(() => page.getByText(/Loading…|Recomputing/).count(), { timeout: 10_000 }).toBe(0);
  expect(await accessibilityProblems(page), name).toEqual([]);
  if (pictures === null) return;
  await page.evaluate("document.fonts.ready");
  await page.screenshot({ path: join(pictures, `${name}.png`), animations: "disabled" });
}

const run = (id: string) => `/runs/${id}`;
const application = (name: string) => `/applications/${name}`;
const state = (page: Page, word: string) => page.getByRole("heading", { level: 1 }).getByText(word, { exact: true });

describe.each([
  ["light", false],
  ["dark", true],
])("emergencies in %s", (theme, dark) => {
  it("every page and dialog passes WCAG 2.2 AA, breaks no page rule and throws nothing", async () => {
    const { page, browser } = await person("ben", run(waiting.run), dark);
    const named = (name: string) => (dark ? `${name}-dark` : name);
    const start = page.getByRole("button", { name: "Start alone (break-glass)" });
    await start.waitFor();
    await clean(page, named("emergency-approval"));
    await start.click();
    await page.getByRole("dialog").waitFor();
    await clean(page, named("break-glass-dialog"));

    await page.goto(`${pages.url}${run(alone.run)}`);
    await page.getByText("Compromise clock").waitFor();
    await clean(page, named("break-glass"));

    await page.goto(`${pages.url}${application(objected.application)}`);
    await page.getByRole("alert").getByText("Locked.").waitFor();
    await clean(page, named("locked"));

    await page.goto(`${pages.url}${application("reporting")}`);
    await page.getByRole("button", { name: "Report a compromise" }).click();
    await page.getByRole("dialog").waitFor();
    await clean(page, named("report-a-compromise"));
    expect(browser.complaints, theme).toEqual([]);
    expect(pages.fixture.app.cspReports.count).toBe(0);
  }, 90_000);
});

describe("the approval page of an emergency", () => {
  it("says first who fails and that a yes removes at once, and offers nobody what is not his to do", async () => {
    const { page } = await person("cleo", run(waiting.run));
    await page.getByRole("button", { name: "Approve" }).waitFor();
    const text = await page.getByRole("main").innerText();
    expect(text).toContain("EMERGENCY: revoke the");
    const first = ["no overlap and no gate", "may fail for up to 1 hour", "What and why now", "Policy verdict"];
    const places = first.map((part) => text.indexOf(part));
    expect(places, text).not.toContain(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(text).toContain("a public repository since noon");
    // cleo decides and does not start alone; ada has reported it and does neither.
    expect(await page.getByRole("button", { name: /Start alone/ }).count()).toBe(0);
    const ada = (await person("ada", run(waiting.run))).page;
    await ada.getByText("You asked for this run.").waitFor();
    expect(await ada.getByRole("button", { name: /^(Approve|Start alone)/ }).count()).toBe(0);
  }, 60_000);
});

describe("with the keyboard alone", () => {
  it("one person starts it, a second one confirms, a review lifts the lock", async () => {
    const ben = (await person("ben", run(waiting.run))).page;
    await ben.getByRole("button", { name: "Start alone (break-glass)" }).waitFor();
    await pressed(ben, "Start alone (break-glass)");
    await ben.getByRole("dialog", { name: /BREAK-GLASS/ }).waitFor();
    await intoReason(ben);
    await ben.keyboard.type("Nobody of security answers, and it is used already.");
    await pressed(ben, "Sign and start alone");
    await state(ben, "Approved").waitFor();
    await ben.getByText("Somebody else must confirm and review it.").waitFor();
    expect(pages.fixture.store.uses.get(waiting.run)).toMatchObject({ role: "platform", confirmed: null });

    const cleo = (await person("cleo", application(waiting.application))).page;
    await cleo.getByRole("alert").getByText("Locked.").waitFor();
    await pressed(cleo, "Review it");
    await cleo.getByText("Nobody of security answers").waitFor();
    await pressed(cleo, "Confirm as the second person");
    await cleo.getByRole("dialog").waitFor();
    await pressed(cleo, "Sign and confirm");
    // Whoever started it sees the word without doing anything.
    await ben.getByText("confirmed", { exact: true }).waitFor({ timeout: 5_000 });
    await cleo.getByRole("dialog").waitFor({ state: "detached" });

    await pressed(cleo, "Accept in review");
    await cleo.getByRole("dialog").waitFor();
    await intoReason(cleo);
    await cleo.keyboard.type("The paging was down; it was right.");
    await pressed(cleo, "Sign and accept");
    await cleo.getByText("reviewed", { exact: true }).waitFor();
    await cleo.goto(`${pages.url}${application(waiting.application)}`);
    await cleo.getByRole("heading", { name: waiting.application }).waitFor();
    expect(await cleo.getByText("Locked.").count()).toBe(0);
  }, 90_000);
});

const focused = "(() => { const e = document.activeElement; return e.labels?.[0]?.textContent ?? e.textContent; })()";

/** Goes with Tab, as anybody can, to what has this text. */
async function tabTo(page: Page, text: RegExp): Promise<void> {
  for (let presses = 0; presses < 80; presses += 1) {
    await page.keyboard.press("Tab");
    if (text.test(String(await page.evaluate(focused)))) return;
  }
  throw new Error(`expected to reach ${text} with the Tab key, got nowhere in 80 presses`);
}

async function pressed(page: Page, button: string): Promise<void> {
  await tabTo(page, new RegExp(`^${button.replaceAll(/[()]/g, "\\$&")}$`));
  await page.keyboard.press("Enter");
}

const intoReason = (page: Page) => tabTo(page, /^Reason/);
