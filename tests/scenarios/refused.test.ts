import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { roomText, ticketsOf } from "./channels.ts";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

/** A call that somebody with the right to say so refuses (403), and goes on refusing. */
interface Refused {
  readonly application: string;
  readonly op: string;
  /** By what the tenant knows that it is this application's call. */
  readonly by: "appId" | "secret" | "site";
  /** Also refused. */
  readonly alsoRemoval?: true;
  readonly alsoReference?: true;
  readonly ends: "rolled_back" | "held";
  /** Everything that was changed of the application, in order. */
  readonly changed: readonly string[];
  /** Secrets that sign in at the end. */
  readonly live: number;
}

const refused: readonly Refused[] = [
  {
    application: "app-create",
    op: "application.addPassword",
    by: "appId",
    ends: "rolled_back",
    changed: [],
    live: 1,
  },
  {
    application: "app-store",
    op: "secret.set",
    by: "secret",
    ends: "rolled_back",
    changed: ["application.addPassword", "application.removePassword"],
    live: 1,
  },
  {
    application: "app-refresh",
    op: "references.refresh",
    by: "site",
    alsoReference: true,
    ends: "rolled_back",
    changed: ["application.addPassword", "secret.set", "secret.set", "application.removePassword"],
    live: 1,
  },
  {
    application: "app-discard",
    op: "secret.set",
    by: "secret",
    alsoRemoval: true,
    ends: "held",
    changed: ["application.addPassword"],
    live: 2,
  },
  {
    application: "app-retire",
    op: "application.removePassword",
    by: "appId",
    ends: "held",
    changed: ["application.addPassword", "secret.set"],
    live: 2,
  },
];

let stage: Stage;
const runs = new Map<string, string>();
beforeAll(async () => {
  stage = await Stage.open({
    channels: ["ops", "jira"],
    applications: [
      ...refused.map(({ application, alsoReference }) => ({
        name: application,
        consumers: alsoReference === true ? (["latest", "reference"] as const) : (["latest"] as const),
      })),
      { name: "app-beside", consumers: ["latest"] },
    ],
    // A reference may be a day behind, so the overlap may be longer than that.
    policy: (yaml) => yaml.replaceAll("max: P1D }", "max: P3D }"),
  });
  for (const { application, op, by, alsoRemoval } of refused) {
    const { appId } = stage.idsOf(application);
    const refuse = (call: string, match: object) =>
      stage.manage("POST", "/faults", { op: call, kind: "403", times: "always", match });
    await refuse(op, { [by]: by === "appId" ? appId : application });
    if (alsoRemoval === true) await refuse("application.removePassword", { appId });
  }
  for (const { application } of refused) runs.set(application, await stage.request(application));
  for (const run of runs.values()) await stage.approve(run);
  // Through overlap and roll back, and then nobody acts.
  await stage.advance(30 * 3_600);
}, 120_000);
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

describe.each(refused)("$op refused for good ($application)", ({ application, ends, changed, live, alsoRemoval }) => {
  const run = () => runs.get(application) ?? "";

  it(`leaves the run ${ends}, says which call it was, and nothing was changed but what the run may change`, async () => {
    expect((await stage.run(run())).run).toMatchObject({ state: ends, because: { code: "OUTSIDE_FORBIDDEN" } });
    expect((await stage.effects(application)).map(({ op }) => op)).toEqual(changed);
    const secrets = await stage.secretsOf(application);
    expect(secrets).toHaveLength(live);
    const { failedSignIns, orphans } = await stage.figures(application);
    expect(failedSignIns).toBe(0);
    // What nobody may remove is accounted for, and the run that made it holds.
    expect(orphans).toHaveLength(alsoRemoval === true ? 1 : 0);
  });

  it("tells its owners over every channel, opens one ticket, and the bundle proves it", async () => {
    const kind = `run.${ends.replace("_", "-")}`;
    const notice = await stage.sink.until(({ type, data }) => type === kind && data.run === run());
    expect(notice.data).toMatchObject({ application });
    expect((await roomText(stage, "ops")).filter((text) => text.includes(run())).length).toBeGreaterThan(0);
    expect(await ticketsOf(stage, "jira", application)).toHaveLength(1);
    expect(await stage.verdict(run())).toBe("proven");
  });
});

it("nothing else was touched", async () => {
  expect(await stage.effects("app-beside")).toEqual([]);
  expect(await ticketsOf(stage, "jira", "app-beside")).toEqual([]);
  expect((await stage.figures("app-beside")).failedSignIns).toBe(0);
});
