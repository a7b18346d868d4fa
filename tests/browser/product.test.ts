import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from "vitest";
import { accessibilityProblems } from "./axe.ts";
import { type Browser, startBrowser } from "./chromium.ts";

const root = join(import.meta.dirname, "../..");
const cli = join(root, "packages/cli/bin/countersign.mjs");
const pictures = process.env.PICTURES === undefined ? null : join(root, "docs/pictures");

let folder: string;
let demo: ChildProcess;
let url: string;
const browsers: Browser[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "countersign-demo-"));
  demo = spawn(process.execPath, [cli, "demo", "--dir", folder], { stdio: ["ignore", "pipe", "pipe"] });
  url = await new Promise<string>((found, failed) => {
    let said = "";
    const read = (chunk: Buffer) => {
      said += chunk.toString();
      const [, address] = /Countersign demo: (http:\S+)/.exec(said) ?? [];
      if (address !== undefined) found(address);
    };
    demo.stdout?.on("data", read);
    demo.stderr?.on("data", read);
    demo.once("exit", (code) => failed(new Error(`expected the demo to start, it ended with ${code}: ${said}`)));
  });
}, 120_000);

afterAll(async () => {
  for (const browser of browsers) await browser.close();
  const ended = new Promise((done) => demo.once("exit", done));
  demo.kill("SIGTERM");
  await ended;
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

/** One person in a browser of his own. */
async function person(login: string, dark = false): Promise<{ page: Page; browser: Browser }> {
  const browser = await startBrowser({ dark });
  browsers.push(browser);
  const page = await browser.page();
  await page.goto(url);
  await page.getByLabel("Login").fill(login);
  await page.getByLabel("Password").fill("demo");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  return { page, browser };
}

async function picture(page: Page, name: string): Promise<void> {
  await expect.poll(() => page.getByText("Loading…").count(), { timeout: 30_000 }).toBe(0);
  expect(await accessibilityProblems(page), name).toEqual([]);
  if (pictures === null) return;
  await page.evaluate("document.fonts.ready");
  await page.screenshot({ path: join(pictures, `${name}.png`), animations: "disabled" });
}

/** Signs for the plan that the page shows. */
async function approve(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Approve" }).click();
  await page.getByRole("button", { name: "Sign and approve" }).click();
}

/** Moves the clock day by day until the run's state is this. */
async function advanceUntil(page: Page, word: string): Promise<void> {
  for (let days = 0; days < 12 && !(await state(page, word).isVisible()); days += 1) {
    await page.getByRole("button", { name: "+1 day" }).click();
    await expect.poll(() => page.getByText("Advancing").count(), { timeout: 60_000 }).toBe(0);
  }
  await state(page, word).waitFor({ timeout: 30_000 });
}

const state = (page: Page, word: string) => page.getByRole("heading", { level: 1 }).getByText(word, { exact: true });

describe("the product as it is started for an evaluation", () => {
  it("one asks, two approve, the clock is advanced, the run completes, and the bundle is proven", async () => {
    onTestFailed(() => {
      const log = readFileSync(join(folder, "product.log"), "utf8").slice(-3_000);
      console.error(`demo exit code: ${demo.exitCode}; end of the product's log:\n${log}`);
    });
    const cleo = await person("cleo");
    await cleo.page.getByRole("button", { name: "Scan now" }).click();
    await cleo.page.getByText("The scan has been asked for.").waitFor();
    await cleo.page.getByText(/Last scan/).waitFor({ timeout: 30_000 });

    await cleo.page.goto(`${url}/credentials`);
    await cleo.page.getByRole("link", { name: "billing-api" }).first().waitFor();
    await picture(cleo.page, "credentials");
    await cleo.page.goto(`${url}/outside`);
    await cleo.page.getByText("answers").first().waitFor();
    await picture(cleo.page, "outside");

    await cleo.page.goto(`${url}/applications/billing-api`);
    const request = cleo.page.getByRole("button", { name: "Request a rotation" });
    const openRun = cleo.page.getByRole("link", { name: "Go to the open run" });
    await request.or(openRun).waitFor();
    if (await openRun.isVisible()) await openRun.click();
    else {
      await request.click();
      await cleo.page.getByLabel("Reason").fill("It expires in two weeks.");
      await cleo.page.getByRole("button", { name: "Request", exact: true }).click();
    }
    await cleo.page.waitForURL(/\/runs\/run_/);
    await state(cleo.page, "Awaiting approval").waitFor({ timeout: 30_000 });
    const address = new URL(cleo.page.url()).pathname;

    const ada = await person("ada");
    await picture(ada.page, "overview");
    const run = address.split("/").at(-1) ?? "";
    const told = execFileSync(process.execPath, [cli, "approve", run, "--url", url, "--json"], { encoding: "utf8" });
    await ada.page.goto((JSON.parse(told) as { page: string }).page);
    await ada.page.getByRole("button", { name: "Approve" }).waitFor();
    await ada.page.getByText("recomputed here").waitFor();
    await picture(ada.page, "approval");
    await approve(ada.page);
    await ada.page.getByText("You have already decided on this plan.").waitFor();

    const ben = await person("ben", true);
    await ben.page.goto(`${url}${address}`);
    await ben.page.getByRole("button", { name: "Approve" }).waitFor();
    await picture(ben.page, "approval-dark");
    await approve(ben.page);

    await ada.page.goto(`${url}${address}`);
    await state(ada.page, "Overlapping").waitFor({ timeout: 60_000 });
    await picture(ada.page, "overlap");

    await advanceUntil(ada.page, "Completed");
    await picture(ada.page, "completed");
    await ada.page.getByText("Told by ops: run awaiting approval").waitFor();
    await ada.page.getByText("Nobody told, no channel carries it: run overlapping").waitFor();

    await ada.page.getByRole("tab", { name: "Evidence" }).click();
    await picture(ada.page, "evidence");
    const [download] = await Promise.all([
      ada.page.waitForEvent("download"),
      ada.page.getByRole("link", { name: "Download bundle" }).click(),
    ]);
    const bundle = join(folder, "bundle.zip");
    await download.saveAs(bundle);
    // Exit 0 = proven; anything else throws here with the report.
    execFileSync(process.execPath, [cli, "verify", bundle, "--trust", join(folder, "state/trust.json")], {
      encoding: "utf8",
    });

    await ada.page.goto(`${url}/applications/billing-api`);
    await ada.page.getByRole("heading", { name: "billing-api" }).waitFor();
    await ada.page.getByRole("img").waitFor();
    await picture(ada.page, "application");
    expect([...cleo.browser.complaints, ...ada.browser.complaints, ...ben.browser.complaints]).toEqual([]);
  }, 300_000);

  it("one rolls a run back in its overlap, and its page says what was undone, what was discarded and what never began", async () => {
    const [ada, ben] = [await person("ada"), await person("ben")];
    for (const { page } of [ada, ben]) {
      await page.goto(`${url}/applications/reports-api`);
      await page.getByRole("link", { name: "Go to the open run" }).click();
      await approve(page);
    }
    await ada.page.goto(ben.page.url().replace(/[?#].*/, ""));
    await state(ada.page, "Overlapping").waitFor({ timeout: 60_000 });
    await ada.page.getByText("waits").first().waitFor();
    await ada.page.getByRole("button", { name: "Roll back" }).click();
    const dialog = ada.page.getByRole("dialog");
    await dialog.getByLabel(/Reason/).fill("Trying it out.");
    await dialog.getByRole("button", { name: "Roll back" }).click();

    await advanceUntil(ada.page, "Rolled back");
    await ada.page.getByText("Undoing store: done").waitFor();
    await ada.page.getByText("Discarding create: done").waitFor();
    await ada.page.getByText("not begun").first().waitFor();
    expect(await ada.page.getByText("waits", { exact: true }).count()).toBe(0);
    expect([...ada.browser.complaints, ...ben.browser.complaints]).toEqual([]);
  }, 300_000);
});
