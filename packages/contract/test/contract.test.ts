import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  apiMarkdown,
  createClient,
  NotTheApi,
  openApi,
  ProblemError,
  problemCodes,
  type Route,
  routes,
} from "../src/index.ts";

const table = Object.entries(routes) as [string, Route][];

describe("the route table", () => {
  it("declares who may call each route", () => {
    for (const [name, route] of table) expect(route.roles, name).toBeTruthy();
  });

  it("asks for an idempotency key wherever a run or the installation changes", () => {
    const without = table.filter(
      ([, route]) => route.method === "POST" && !route.requires?.includes("Idempotency-Key"),
    );
    expect(without.map(([name]) => name).sort()).toEqual([
      "advanceClock",
      "exportPopulation",
      "makeCloseStatement",
      "makeStatement",
      "makeUseStatement",
      "signIn",
    ]);
  });

  it("refuses unknown members in every body, query and path", () => {
    for (const [name, route] of table) {
      for (const part of [route.params, route.query, route.body]) {
        if (part === undefined) continue;
        const issues = part.safeParse({ unheard_of: 1 }).error?.issues ?? [];
        expect(
          issues.map((issue) => issue.code),
          name,
        ).toContain("unrecognized_keys");
      }
    }
  });

  it("names every parameter of a path in its schema", () => {
    for (const [name, route] of table) {
      const inPath = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const shape = (route.params as { shape?: object } | undefined)?.shape ?? {};
      expect(Object.keys(shape), name).toEqual(inPath);
    }
  });
});

describe("what is derived from it", () => {
  it("an OpenAPI document with one operation per route and no dangling reference", () => {
    const document = openApi("1.0.0") as {
      paths: Record<string, Record<string, unknown>>;
      components: { schemas: object };
    };
    const operations = Object.values(document.paths).flatMap((path) => Object.keys(path));
    expect(operations).toHaveLength(table.length);
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(references)).toEqual(new Set(["#/components/schemas/Problem"]));
  });

  it("docs/api.md as it stands in the repository", () => {
    expect(readFileSync(new URL("../../../docs/api.md", import.meta.url), "utf8")).toBe(apiMarkdown());
  });

  it("a client that sends what the route declares and checks what comes back", async () => {
    const sent: Request[] = [];
    const client = createClient("http://x.test", (async (url: URL, init: RequestInit) => {
      sent.push(new Request(url, init));
      return Response.json({ run: "run_0123456789abcdefghjkmnpqrs" }, { status: 202 });
    }) as unknown as typeof fetch);
    const filed = await client.requestRun({ body: { row: "billing-api", reason: "because it is due" } });
    expect(filed.run).toBe("run_0123456789abcdefghjkmnpqrs");
    expect(sent[0]?.method).toBe("POST");
    expect(sent[0]?.headers.get("idempotency-key")).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("a client that refuses an answer of another shape, and throws problems as problems", async () => {
    const answering = (body: unknown, status = 200) =>
      createClient("http://x.test", (async () => Response.json(body, { status })) as unknown as typeof fetch);
    await expect(answering({ odd: true }).getStatus({})).rejects.toThrow(/installation/);
    const problem = {
      type: "/problems/FORBIDDEN",
      title: "x",
      status: 403,
      code: "FORBIDDEN",
      instance: "urn:request:1",
    };
    await expect(answering(problem, 403).getStatus({})).rejects.toBeInstanceOf(ProblemError);
  });

  it.each([
    [200, ""],
    [200, "<html>sign in</html>"],
    [200, '{"token":7,"__proto__":{}}'],
    [500, '{"type":"x","detail":"words of somebody else"}'],
    [502, "<html>bad gateway</html>"],
  ])(
    "a client that says of another server's %i that it is none of ours, and repeats nothing of it",
    async (status, body) => {
      const client = createClient(
        "http://x.test",
        (async () => new Response(body, { status })) as unknown as typeof fetch,
      );
      const call = client.signIn({ body: { login: "a", password: "b", kind: "bearer" } });
      await expect(call).rejects.toThrow(NotTheApi);
      await expect(call).rejects.toThrow(
        new RegExp(`^expected the API of Countersign at the address, got another answer \\(${status}\\)( in \\w+)?$`),
      );
    },
  );

  it("only problem codes of the product's closed list", async () => {
    const { errorCodes } = await import("@countersign/core");
    for (const code of problemCodes) expect(Object.keys(errorCodes)).toContain(code);
  });
});
