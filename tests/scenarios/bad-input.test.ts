import { errorCodes, isCode } from "@countersign/core";
import { accept, loadInstallation } from "@countersign/server";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { tellOnFailure } from "./failure.ts";
import { Stage } from "./stage.ts";

const damages = ["malformed", "truncated", "empty", "wrong-types", "hostile", "oversized"] as const;

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open({
    applications: damages
      .flatMap((kind) => [`app-read-${kind}`, `app-add-${kind}`])
      .concat("app-out", "app-long-out")
      .map((name) => ({ name, consumers: ["latest", "copied"] as const })),
  });
});
afterAll(() => stage?.close());
beforeEach(() => tellOnFailure(stage));

/** Ways in which a document can be wrong; each is given the good text. */
const wrong: Readonly<Record<string, (yaml: string) => string | Buffer>> = {
  empty: () => "",
  "not YAML": () => "a: [1, 2\nb: }{",
  "another kind of value": () => "- just\n- a list\n",
  "a wrong type": (yaml) => yaml.replace(/^(\s*(?:- )?)(name|revision|version): .*$/m, "$1$2: { a: 1 }"),
  "an unknown field": (yaml) => `${yaml}surprise: true\n`,
  "a field twice": (yaml) => `${yaml}${yaml.split("\n").find((line) => /^[a-z]\w*:/i.test(line)) ?? ""}\n`,
  "aliases that multiply": () => `a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n`,
  "a tag": (yaml) => yaml.replace(/: (?=[a-z])/, ": !!js/function "),
  "control characters": (yaml) => yaml.replace(/^(\s*(?:- )?name): (\S+)/m, '$1: "$2\\u0000\\u001b[2J"'),
  "markup for a name": (yaml) =>
    yaml.replace(/^(\s*(?:- )?name): (\S+)/m, '$1: "<img src=x onerror=alert(1)>\'; drop table run;--"'),
  "bytes that are no UTF-8": (yaml) =>
    Buffer.concat([Buffer.from(yaml), Buffer.from([0x23, 0xff, 0xfe, 0xc3, 0x28, 0x0a])]),
  "more than a document may hold": (yaml) => `${yaml}# ${"x".repeat(9 * 1024 * 1024)}\n`,
};

/** The error of a call that has to fail with a code of the closed list. */
async function codeOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    const code = Object.keys(errorCodes).find((candidate) => isCode(error, candidate as keyof typeof errorCodes));
    if (code !== undefined) return code;
    throw error;
  }
  return "accepted";
}

describe("a document that is wrong is refused with one code and changes nothing:", () => {
  const codes = {
    "countersign.yaml": "CONFIG_INVALID",
    "inventory.yaml": "INVENTORY_INVALID",
    "policy.yaml": "POLICY_INVALID",
  } as const;
  for (const [document, code] of Object.entries(codes)) {
    it(`refuses a bad ${document}`, async () => {
      const good = stage.read(document);
      const trust = stage.read("state/trust.json");
      const said: Record<string, string> = {};
      try {
        for (const [name, damage] of Object.entries(wrong)) {
          stage.write(document, damage(good));
          const path = stage.path("countersign.yaml");
          const what = document === "policy.yaml" ? "policy" : "inventory";
          said[name] = await codeOf(() =>
            document === "countersign.yaml" ? loadInstallation(path) : accept(path, what),
          );
        }
      } finally {
        stage.write(document, good);
      }
      expect(said).toEqual(Object.fromEntries(Object.keys(wrong).map((name) => [name, code])));
      expect(stage.read("state/trust.json")).toBe(trust);
    });
  }
});

describe("a directory that is out while a request is planned", () => {
  const requestWhileOut = async (name: string) => {
    const fault = { op: "application.get", kind: "503", times: "always", match: { appId: stage.idsOf(name).appId } };
    const { id } = (await stage.manage("POST", "/faults", fault)) as { id: string };
    const run = await stage.request(name);
    await stage.advance(300);
    expect(await stage.stateOf(run)).toBe("requested");
    return { run, isBack: () => stage.manage("DELETE", `/faults/${id}`) };
  };

  it("is asked again until it is back, and the request gets its plan", async () => {
    const { run, isBack } = await requestWhileOut("app-out");
    await isBack();
    await stage.advance(120);
    expect(await stage.stateOf(run)).toBe("awaiting_approval");
  });

  it("is not waited for longer than a quarter of an hour: the request ends in a finding", async () => {
    const { run, isBack } = await requestWhileOut("app-long-out");
    await stage.advanceUntil(run, ["blocked"], { stepSeconds: 120, hoursMax: 0.5 });
    const { findings } = await stage.run(run);
    expect(findings.filter(({ result }) => result === "block").map(({ code }) => code)).toContain("world-unread");
    await isBack();
  });
});

describe("an answer of the directory that makes no sense", () => {
  for (const kind of damages) {
    it(`while planning (${kind}): the request ends in a finding and nothing is touched`, async () => {
      const name = `app-read-${kind}`;
      const { id } = (await stage.manage("POST", "/faults", {
        op: "application.get",
        kind,
        position: "after-effect",
        times: "always",
        match: { appId: stage.idsOf(name).appId },
      })) as { id: string };
      const run = await stage.request(name);
      await stage.advanceUntil(run, ["blocked"], { stepSeconds: 120, hoursMax: 1 });
      const { findings } = await stage.run(run);
      expect(findings.filter(({ result }) => result === "block").map(({ code }) => code)).toContain("world-unread");
      expect(await stage.effects(name)).toEqual([]);
      await stage.manage("DELETE", `/faults/${id}`);
      // Nothing stays behind that would keep the next request from its plan.
      expect(await stage.stateOf(await stage.request(name))).toBe("awaiting_approval");
    });

    it(`after a secret was made (${kind}): it is found by its marker and taken away, another is made, nothing is orphaned`, async () => {
      const name = `app-add-${kind}`;
      const run = await stage.request(name);
      await stage.manage("POST", "/faults", {
        op: "application.addPassword",
        kind,
        position: "after-effect",
        match: { appId: stage.idsOf(name).appId },
      });
      await stage.approve(run);
      await stage.advanceUntil(run, ["overlapping"], { stepSeconds: 120, hoursMax: 1 });
      const keys = (await stage.effects(name)).filter(({ op }) => op.startsWith("application."));
      expect(keys.map(({ op }) => op)).toEqual([
        "application.addPassword",
        "application.removePassword",
        "application.addPassword",
      ]);
      expect(keys[1]?.target.keyId).toBe(keys[0]?.target.keyId);
      await stage.advance(120);
      const { failedSignIns, orphans } = await stage.figures(name);
      expect({ failedSignIns, orphans }).toEqual({ failedSignIns: 0, orphans: [] });
    });
  }
});
