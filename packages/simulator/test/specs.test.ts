import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import addFormatsModule from "ajv-formats";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type Loose, startTenant, type TestTenant } from "./tenant.ts";

const specs = join(dirname(fileURLToPath(import.meta.url)), "../../../../shared/specs");
const here = existsSync(specs);

type Json = Loose;

/** A validator over one API description: `operation` finds the schema of its successful answer. */
function description(file: string) {
  const text = readFileSync(join(specs, file), "utf8");
  const document: Json = file.endsWith(".json") ? JSON.parse(text) : parse(text);
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: true, discriminator: false });
  (addFormatsModule as unknown as (ajv: Ajv) => void)(ajv);
  for (const format of ["unixtime", "base64url", "int16", "decimal"]) ajv.addFormat(format, true);
  ajv.addSchema(nullable(document), "doc");
  return (method: string, path: string) => {
    const responses = document.paths[path]?.[method]?.responses ?? {};
    const code = ["200", "2XX"].find((item) => item in responses) ?? "";
    const inSchema = document.swagger === "2.0" ? "schema" : "content/application~1json/schema";
    const escaped = path.replaceAll("~", "~0").replaceAll("/", "~1");
    const response = responses[code];
    const pointer =
      response?.$ref !== undefined
        ? `${response.$ref}/${inSchema}`
        : `#/paths/${encodeURIComponent(escaped)}/${method}/responses/${code}/${inSchema}`;
    const validate = ajv.compile({ $ref: `doc${pointer}` });
    return (body: unknown): string[] =>
      validate(body) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
  };
}

/**
 * Into JSON Schema, with what these descriptions cannot say or say wrongly: `nullable: true` is a type `null`; a property
 * by reference may be null (OData complex types and enums are not marked); `additionalProperties: {type: object}` marks
 * an open type, whatever the type of what is added; the last page of a vault list says `nextLink: null`.
 */
function nullable(node: Json): Json {
  if (Array.isArray(node)) return node.map(nullable);
  if (typeof node !== "object" || node === null) return node;
  const copy: Json = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, nullable(value)]));
  if (copy.additionalProperties?.type === "object" && Object.keys(copy.additionalProperties).length === 1) {
    delete copy.additionalProperties;
  }
  for (const [name, property] of Object.entries<Json>(copy.properties ?? {})) {
    const loose = property.$ref !== undefined || property.anyOf?.[0]?.$ref !== undefined || name === "nextLink";
    if (loose) copy.properties[name] = { anyOf: [property, { type: "null" }] };
  }
  if (copy.nullable !== true) return copy;
  const { nullable: _, ...schema } = copy;
  return { anyOf: [schema, { type: "null" }] };
}

describe("answers fit the vendors' own API descriptions", () => {
  let tenant: TestTenant;
  // They are the vendors' and no part of this project.
  beforeEach(({ skip }) => skip(!here, `the vendors' API descriptions are not at ${specs}`));
  beforeAll(async () => {
    tenant = await startTenant();
    const objectId = tenant.application("billing").objectId;
    await tenant.graph("writer", "POST", `/v1.0/applications/${objectId}/addPassword`, {});
  });
  afterAll(() => tenant.close());

  test("variable groups of Azure DevOps, and the vendor's own samples have the same members", async () => {
    const check = description("connectors/azure-devops/variablegroups-7.1.json");
    const group = { id: 1, name: "TestVariableGroup1", projects: ["VGDemo"] };
    const variables = { key1: { value: "value1" }, key2: { value: "kept", isSecret: true } };
    const grants = [{ caller: "writer", pat: "pat-of-the-writer" }];
    await tenant.simulator.seed({
      devops: [{ name: "fabrikam", projects: ["VGDemo"], groups: [{ ...group, variables }], grants }],
    });
    const headers = { authorization: `Basic ${Buffer.from(":pat-of-the-writer").toString("base64")}` };
    const base = tenant.simulator.urls.devops.fabrikam;
    const path = "_apis/distributedtask/variablegroups/1?api-version=7.1";
    const read = await tenant.call(`${base}/fabrikam/VGDemo/${path}`, { headers });
    const body = JSON.stringify(read.body);
    const written = await tenant.call(`${base}/fabrikam/${path}`, { method: "PUT", headers, body });
    const sample = JSON.parse(
      readFileSync(join(specs, "connectors/azure-devops/examples/variablegroups-GET_VariableGroup.json"), "utf8"),
    ) as Json;
    expect(read.body.variables).toEqual(sample.responses["200"].body.variables);
    for (const member of Object.keys(sample.responses["200"].body)) expect(read.body).toHaveProperty(member);
    for (const [method, route, answer] of [
      ["get", "/{organization}/{project}/_apis/distributedtask/variablegroups/{groupId}", read],
      ["put", "/{organization}/_apis/distributedtask/variablegroups/{groupId}", written],
    ] as const) {
      expect(answer.status).toBe(200);
      // The description says that a value is a text; the sample beside it shows null for a secret.
      const { key2: _, ...plain } = answer.body.variables as Json;
      expect(check(method, route)({ ...answer.body, variables: plain }), method).toEqual([]);
    }
  });

  test("secrets of GitHub Actions: of a repository, an environment and an organization", async () => {
    const check = description("connectors/github/secrets.openapi.json");
    const secrets = { CLIENT_SECRET: { value: "kept" } };
    const chosen = { CLIENT_SECRET: { value: "kept", visibility: "selected", selected: ["acme/shop"] } };
    const permissions = { secrets: "read", environments: "read", organization_secrets: "read" };
    const repository = { owner: "acme", name: "shop", secrets, environments: [{ name: "prod", secrets }] };
    await tenant.simulator.seed({
      github: [
        {
          name: "described",
          organizations: [{ login: "acme", secrets: chosen }],
          repositories: [repository],
          tokens: [{ token: "reader-token", caller: "reader", permissions }],
        },
      ],
    });
    const headers = { authorization: "Bearer reader-token" };
    const places = [
      ["/repos/{owner}/{repo}/actions/secrets", "/repos/acme/shop/actions/secrets"],
      ["/repos/{owner}/{repo}/environments/{environment_name}/secrets", "/repos/acme/shop/environments/prod/secrets"],
      ["/orgs/{org}/actions/secrets", "/orgs/acme/actions/secrets"],
    ] as const;
    const cases = places.flatMap(([template, path]) => [
      [`${template}/public-key`, `${path}/public-key`],
      [`${template}/{secret_name}`, `${path}/CLIENT_SECRET`],
    ]);
    cases.push([`${places[2][0]}/{secret_name}/repositories`, `${places[2][1]}/CLIENT_SECRET/repositories`]);
    for (const [template = "", path = ""] of cases) {
      const answer = await tenant.call(`${tenant.simulator.urls.github.described}${path}`, { headers });
      expect([path, answer.status, check("get", template)(answer.body)]).toEqual([path, 200, []]);
    }
  });

  test("applications and service principals", async () => {
    const check = description("graph-v1.0-applications.yaml");
    const { objectId } = tenant.application("billing");
    const sp = tenant.simulator.world.tenant.servicePrincipals.find((item) => item.displayName === "billing")?.id;
    const cases: [string, string, string, string][] = [
      ["get", "/applications", "GET", "/applications"],
      ["get", "/applications/{application-id}", "GET", `/applications/${objectId}?$expand=owners`],
      ["get", "/applications/{application-id}/owners", "GET", `/applications/${objectId}/owners`],
      [
        "post",
        "/applications/{application-id}/microsoft.graph.addPassword",
        "POST",
        `/applications/${objectId}/addPassword`,
      ],
      [
        "get",
        "/applications/{application-id}/appManagementPolicies",
        "GET",
        `/applications/${objectId}/appManagementPolicies`,
      ],
      ["get", "/servicePrincipals", "GET", "/servicePrincipals"],
      ["get", "/servicePrincipals/{servicePrincipal-id}", "GET", `/servicePrincipals/${sp}`],
    ];
    for (const [method, template, verb, path] of cases) {
      const answer = await tenant.graph("writer", verb, `/v1.0${path}`, verb === "POST" ? {} : undefined);
      expect([path, answer.status, check(method, template)(answer.body)]).toEqual([path, 200, []]);
    }
  });

  test("audits, sign-ins, last use and policies", async () => {
    const cases: [string, string, string][] = [
      ["graph-v1.0-auditlogs.yaml", "/auditLogs/directoryAudits", "/v1.0/auditLogs/directoryAudits"],
      ["graph-beta-reports.yaml", "/auditLogs/signIns", "/beta/auditLogs/signIns"],
      [
        "graph-beta-reports.yaml",
        "/reports/appCredentialSignInActivities",
        "/beta/reports/appCredentialSignInActivities",
      ],
      [
        "graph-v1.0-appmanagement-policies.yaml",
        "/policies/defaultAppManagementPolicy",
        "/v1.0/policies/defaultAppManagementPolicy",
      ],
    ];
    for (const [file, template, path] of cases) {
      const answer = await tenant.graph("reader", "GET", path);
      expect([path, answer.status, description(file)("get", template)(answer.body)]).toEqual([path, 200, []]);
      // A list without entries would fit any description of its entries.
      expect(answer.body.value?.length ?? 1).toBeGreaterThan(0);
    }
  });

  test.each(["keyvault-secrets-7.6.json", "keyvault-secrets-2025-07-01.json"])("vault secrets by %s", async (file) => {
    const check = description(file);
    const set = (
      await tenant.vault("PUT", "/secrets/billing", {
        value: "v",
        tags: { a: "b" },
        attributes: { exp: 1_798_761_600 },
      })
    ).body;
    const version = set.id.split("/").at(-1);
    const results = {
      set: check("put", "/secrets/{secret-name}")(set),
      get: check(
        "get",
        "/secrets/{secret-name}/{secret-version}",
      )((await tenant.vault("GET", "/secrets/billing")).body),
      patch: check(
        "patch",
        "/secrets/{secret-name}/{secret-version}",
      )((await tenant.vault("PATCH", `/secrets/billing/${version}`, { tags: {} })).body),
      versions: check(
        "get",
        "/secrets/{secret-name}/versions",
      )((await tenant.vault("GET", "/secrets/billing/versions")).body),
      list: check("get", "/secrets")((await tenant.vault("GET", "/secrets")).body),
      delete: check("delete", "/secrets/{secret-name}")((await tenant.vault("DELETE", "/secrets/billing")).body),
      deleted: check(
        "get",
        "/deletedsecrets/{secret-name}",
      )((await tenant.vault("GET", "/deletedsecrets/billing")).body),
      listDeleted: check("get", "/deletedsecrets")((await tenant.vault("GET", "/deletedsecrets")).body),
      recover: check(
        "post",
        "/deletedsecrets/{secret-name}/recover",
      )((await tenant.vault("POST", "/deletedsecrets/billing/recover")).body),
    };
    expect(results).toEqual(Object.fromEntries(Object.keys(results).map((key) => [key, []])));
  });

  test("the check itself refuses a wrong shape", () => {
    const check = description("graph-v1.0-applications.yaml")("get", "/applications");
    expect(check({ value: [{ passwordCredentials: "none" }] }).length).toBeGreaterThan(0);
    expect(description("keyvault-secrets-7.6.json")("get", "/secrets")({ value: "none" }).length).toBeGreaterThan(0);
  });
});
