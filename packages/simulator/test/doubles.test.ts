import { blake2b } from "blakejs";
import nacl from "tweetnacl";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openSealed } from "../src/github/box.ts";
import { startTenant, type TestTenant } from "./tenant.ts";

let tenant: TestTenant;
beforeAll(async () => {
  tenant = await startTenant();
  await tenant.simulator.seed({
    github: [
      {
        name: "hub",
        repositories: [{ owner: "acme", name: "shop", secrets: { CLIENT_SECRET: { value: "old" } } }],
        tokens: [
          { token: "writer-token", caller: "writer", permissions: { secrets: "write" } },
          { token: "reader-token", caller: "reader", permissions: { secrets: "read" } },
        ],
      },
    ],
    clusters: [
      {
        name: "blue",
        accounts: [{ name: "writer" }, { name: "reader", write: false }],
        secrets: [{ namespace: "shop", name: "login", data: { password: { value: "old" }, other: { value: "kept" } } }],
      },
    ],
    gateways: [
      { name: "closed", entries: { partner: { value: "old" } } },
      { name: "open", readable: true, entries: { partner: { value: "old" } } },
    ],
  });
});
afterAll(() => tenant.close());

const json = (method: string, headers: Record<string, string>, body?: unknown, type = "application/json") => ({
  method,
  headers: { "content-type": type, ...headers },
  ...(body === undefined ? {} : { body: JSON.stringify(body) }),
});

describe("the double of GitHub", () => {
  const secret = "/repos/acme/shop/actions/secrets";
  const call = (method: string, path: string, body?: unknown, token = "writer-token") =>
    tenant.call(`${tenant.simulator.urls.github.hub}${path}`, json(method, { authorization: `Bearer ${token}` }, body));
  const held = () => tenant.simulator.world.tenant.github[0]?.repositories[0]?.secrets;

  /** As the vendor's page says it: the one-time key, then a box whose nonce is BLAKE2b over both keys. */
  function seal(text: string, publicKey: string): string {
    const [oneTime, theirs] = [nacl.box.keyPair(), Buffer.from(publicKey, "base64")];
    const nonce = blake2b(Buffer.concat([oneTime.publicKey, theirs]), undefined, 24);
    const boxed = nacl.box(Buffer.from(text), nonce, theirs, oneTime.secretKey);
    return Buffer.concat([oneTime.publicKey, boxed]).toString("base64");
  }

  it("opens what libsodium's crypto_box_seal has sealed, and nothing that was changed", () => {
    // Made with libsodium 1.0.20 (libsodium-wrappers 0.8.4) from the key pair of a seed of 32 bytes 7.
    const box = {
      keyId: "1",
      publicKey: "dh2I7IMEE5Gd/p1NHVbxfmU8jJlAgt9bE3uQoK5u33Q=",
      privateKey: "L605/v1/o+IAqcYm7vWZ5hotBVxIqCiKTn5MS8o5KPg=",
    };
    const sealed = "kxRiQOzPKl221kFSYoI4wyTlyb19/ETn/tmWU5RkMAuXIp+V+HgwPqJiK33O9pyHnWMV3S6FbqL4QNPkYY0rjNpHhg==";
    expect(openSealed(sealed, box)).toBe("sealed by libsodium");
    expect(openSealed(sealed.replace("Hhg==", "Hhw=="), box)).toBeNull();
    expect(openSealed(Buffer.from("too short").toString("base64"), box)).toBeNull();
  });

  it("keeps what a sealed box held, and answers with when it was written, never with what", async () => {
    const { body: key } = await call("GET", `${secret}/public-key`);
    const wish = { encrypted_value: seal("new", key.key), key_id: key.key_id };
    expect((await call("PUT", `${secret}/CLIENT_SECRET`, wish)).status).toBe(204);
    expect((await call("PUT", `${secret}/ANOTHER`, wish)).status).toBe(201);
    expect(held()?.CLIENT_SECRET?.value).toBe("new");
    const { status, body } = await call("GET", `${secret}/CLIENT_SECRET`);
    expect([status, Object.keys(body)]).toEqual([200, ["name", "created_at", "updated_at"]]);
  });

  it("refuses plain text, another key's id, a reader, a stranger and a name that is its own", async () => {
    const { body: key } = await call("GET", `${secret}/public-key`);
    const wish = { encrypted_value: seal("stolen", key.key), key_id: key.key_id };
    const before = JSON.stringify(held());
    const plain = {
      ...wish,
      encrypted_value: Buffer.from("plain text, and long enough to be a sealed box").toString("base64"),
    };
    const answers = [
      await call("PUT", `${secret}/CLIENT_SECRET`, plain),
      await call("PUT", `${secret}/CLIENT_SECRET`, { ...wish, key_id: "1" }),
      await call("PUT", `${secret}/CLIENT_SECRET`, wish, "reader-token"),
      await call("PUT", `${secret}/CLIENT_SECRET`, wish, "nobody's-token"),
      await call("PUT", `${secret}/GITHUB_TOKEN`, wish),
      await call("PUT", "/repos/acme/other/actions/secrets/CLIENT_SECRET", wish),
    ];
    expect(answers.map(({ status }) => status)).toEqual([422, 422, 403, 401, 422, 404]);
    expect(JSON.stringify(held())).toBe(before);
  });
});

describe("the double of Kubernetes", () => {
  const path = "/api/v1/namespaces/shop/secrets/login";
  const merge = "application/merge-patch+json";
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const call = (method: string, body?: unknown, type = merge, as = "writer") => {
    const account = tenant.simulator.world.tenant.clusters[0]?.accounts.find(({ name }) => name === as);
    return tenant.call(
      `${tenant.simulator.urls.clusters.blue}${path}`,
      json(method, { authorization: `Bearer ${account?.token}` }, body, type),
    );
  };

  it("merges a patch of the present version; with a stale one the whole map stays as it is", async () => {
    const { body: before } = await call("GET");
    const { resourceVersion } = before.metadata;
    const change = (password: string) => ({ metadata: { resourceVersion }, data: { password: base64(password) } });
    const first = await call("PATCH", change("new"));
    expect([first.status, first.body.data]).toEqual([200, { password: base64("new"), other: base64("kept") }]);
    expect(first.body.metadata.resourceVersion).not.toBe(resourceVersion);
    const stale = await call("PATCH", change("newer"));
    expect([stale.status, stale.body.reason]).toEqual([409, "Conflict"]);
    const whole = { ...before, data: { password: base64("newer") } };
    expect((await call("PUT", whole, "application/json")).status).toBe(409);
    expect((await call("GET")).body.data).toEqual({ password: base64("new"), other: base64("kept") });
  });

  it("takes away what a replaced map leaves out", async () => {
    const { body: now } = await call("GET");
    const answer = await call("PUT", { ...now, data: { other: base64("kept") } }, "application/json");
    expect([answer.status, answer.body.data]).toEqual([200, { other: base64("kept") }]);
  });

  it("refuses a reader's patch, a stranger and another kind of patch", async () => {
    const change = { data: { other: base64("stolen") } };
    expect((await call("PATCH", change, merge, "reader")).status).toBe(403);
    expect((await call("PATCH", change, merge, "nobody")).status).toBe(401);
    expect((await call("PATCH", change, "application/json")).status).toBe(415);
    expect((await call("GET")).body.data).toEqual({ other: base64("kept") });
  });
});

describe("the double of a described interface", () => {
  const call = (name: "closed" | "open", method: string, path: string, body?: unknown, key?: string) => {
    const gateway = tenant.simulator.world.tenant.gateways.find((item) => item.name === name);
    const headers = { "x-api-key": key ?? gateway?.token ?? "" };
    return tenant.call(`${tenant.simulator.urls.gateways[name]}/v1/credentials${path}`, json(method, headers, body));
  };

  it("takes a value and answers with its version only, unless it is one that can be read", async () => {
    const wish = { secret: "new", version: "v2" };
    const answers = await Promise.all(
      (["closed", "open"] as const).flatMap((name) => [call(name, "PUT", "/partner", wish)]),
    );
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const [closed, open] = [await call("closed", "GET", "/partner"), await call("open", "GET", "/partner")];
    for (const { body } of [answers[0], closed].filter((answer) => answer !== undefined))
      expect(JSON.stringify(body)).not.toContain("new");
    expect(closed.body.state).toMatchObject([{ version: "v2", writes: 1 }]);
    expect(open.body).toMatchObject({ secret: "new", state: [{ version: "v2" }] });
    expect(tenant.simulator.world.tenant.gateways[0]?.entries[0]?.value).toBe("new");
  });

  it("counts a rotation each time it is asked for, and refuses strangers, unknown entries and nonsense", async () => {
    const wish = { secret: "newer", version: "v3" };
    const before = (await call("closed", "GET", "/partner")).body.state[0].writes;
    for (const more of [1, 2])
      expect((await call("closed", "POST", "/partner/rotations", wish)).body.state[0].writes).toBe(before + more);
    expect((await call("closed", "PUT", "/partner", wish, "a guess")).status).toBe(401);
    expect((await call("closed", "PUT", "/nobody", wish)).status).toBe(404);
    expect((await call("closed", "PUT", "/partner", { secret: "" })).status).toBe(400);
    expect((await call("closed", "GET", "/partner")).body.state[0].writes).toBe(before + 2);
  });
});
