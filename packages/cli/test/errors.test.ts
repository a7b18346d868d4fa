import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** Runs `countersign` as somebody who is signed in by the environment. */
async function countersign(...args: string[]): Promise<{ code: number | null; out: string; said: string }> {
  const env = { PATH: process.env["PATH"] ?? "", COUNTERSIGN_LOGIN: "cleo", COUNTERSIGN_PASSWORD: "p" };
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, said] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, out, said };
}

describe("what a person is told when a command cannot do it", () => {
  it("another server answers: one line and one object without its words, no trace of our code", async () => {
    const server = createServer((_request, response) => response.writeHead(200).end("<html>sign in\u001b[2J</html>"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const message = `expected the API of Countersign at ${url}, got another answer (200)`;
    expect(await countersign("status", "--json", "--url", `${url}/somewhere`)).toEqual({
      code: 1,
      out: `${JSON.stringify({ error: { code: "API_UNREACHABLE", message } })}\n`,
      said: `API_UNREACHABLE: ${message}\n`,
    });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});
