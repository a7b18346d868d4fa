import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
const path = "/acme/_apis/distributedtask/variablegroups/12?api-version=7.1";
const read = "/acme/shop/_apis/distributedtask/variablegroups/12?api-version=7.1";

beforeEach(async () => {
  tenant = await startTenant();
  await tenant.simulator.seed({
    devops: [
      {
        name: "acme",
        projects: ["shop", "other"],
        groups: [
          {
            id: 12,
            name: "billing",
            projects: ["shop"],
            variables: {
              CLIENT_SECRET: { from: { application: "billing", secret: "current" }, isSecret: true },
              OTHER_SECRET: { value: "kept", isSecret: true },
              REGION: { value: "westeurope" },
            },
          },
        ],
        grants: [{ caller: "writer" }, { caller: "reader", role: "reader", pat: "pat-of-the-reader" }],
      },
    ],
    workloads: [
      {
        name: "pipeline",
        kind: "entra-pipeline",
        application: "billing",
        container: "acme/12",
        entry: "CLIENT_SECRET",
      },
    ],
  });
});
afterEach(() => tenant.close());

async function call(method: string, at: string, body?: unknown, as = "writer") {
  const caller = tenant.simulator.world.tenant.callers.find((item) => item.name === as);
  const answer = await tenant.signIn(
    caller?.appId ?? "",
    caller?.secret ?? "",
    "499b84ac-1321-427f-aa17-267ca6975798/.default",
  );
  return tenant.call(`${tenant.simulator.urls.devops.acme}${at}`, {
    method,
    headers: { authorization: `Bearer ${answer.body.access_token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

const group = () => {
  const found = tenant.simulator.world.tenant.devops[0]?.groups[0];
  if (found === undefined) throw new Error("expected the group");
  return found;
};

describe("variable groups", () => {
  it("never answer a secret's value, and say who wrote last and when", async () => {
    const { body } = await call("GET", read);
    expect(body.variables).toEqual({
      CLIENT_SECRET: { value: null, isSecret: true },
      OTHER_SECRET: { value: null, isSecret: true },
      REGION: { value: "westeurope" },
    });
    expect(body.modifiedOn).toMatch(/\.\d{7}Z$/);
  });

  it("are replaced as a whole: what is left out is gone, a secret sent without a value keeps its own", async () => {
    const { body } = await call("GET", read);
    const { OTHER_SECRET, CLIENT_SECRET } = body.variables;
    const put = await call("PUT", path, {
      ...body,
      variables: { CLIENT_SECRET: { ...CLIENT_SECRET, value: "new" }, OTHER_SECRET },
    });
    expect(put.status).toBe(200);
    expect(put.body.variables.CLIENT_SECRET).toEqual({ value: null, isSecret: true });
    expect(group().variables).toEqual({
      CLIENT_SECRET: { value: "new", isSecret: true, isReadOnly: false },
      OTHER_SECRET: { value: "kept", isSecret: true, isReadOnly: false },
    });
    expect(put.body.modifiedOn).not.toBe(body.modifiedOn);
  });

  it("have no condition on a write: the last writer wins, and only the audit log shows both", async () => {
    const { body } = await call("GET", read);
    await call("PUT", path, { ...body, variables: { ...body.variables, REGION: { value: "theirs" } } });
    await call("PUT", path, { ...body, variables: { ...body.variables, REGION: { value: "ours" } } });
    expect(group().variables.REGION?.value).toBe("ours");
    const audit = await call("GET", "/acme/_apis/audit/auditlog?api-version=7.1&startTime=2026-11-22T00:00:00Z");
    expect(audit.body.decoratedAuditLogEntries).toHaveLength(2);
  });

  it("show a caller they do not know the sign-in page, with a status that looks like success", async () => {
    const answer = await tenant.call(`${tenant.simulator.urls.devops.acme}${read}`);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([203, "text/html; charset=utf-8"]);
  });

  it("let a reader read with a personal access token and refuse its write", async () => {
    const headers = { authorization: `Basic ${Buffer.from(":pat-of-the-reader").toString("base64")}` };
    const got = await tenant.call(`${tenant.simulator.urls.devops.acme}${read}`, { headers });
    expect(got.status).toBe(200);
    const put = await tenant.call(`${tenant.simulator.urls.devops.acme}${path}`, {
      method: "PUT",
      headers,
      body: JSON.stringify(got.body),
    });
    expect([put.status, put.body.typeKey]).toEqual([403, "AccessDeniedException"]);
  });

  it("refuse an update without projects as if the caller were unknown", async () => {
    const { body } = await call("GET", read);
    expect((await call("PUT", path, { ...body, variableGroupProjectReferences: [] })).status).toBe(401);
  });

  it("feed the pipeline that reads them", async () => {
    await tenant.simulator.driver.advanceBy(700_000, 5_000);
    expect(tenant.simulator.world.effects.all().find((item) => item.workload === "pipeline")?.effect).toBe(true);
  });

  it("show no secret in the directory of the management port", async () => {
    const { body } = await tenant.manage("GET", "/directory");
    expect(JSON.stringify(body.devops)).not.toContain("kept");
    expect(body.devops[0].groups[0].variables).toContain("OTHER_SECRET");
  });
});
