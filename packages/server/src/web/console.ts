import { readFileSync } from "node:fs";
import { join } from "node:path";
import { consolePages } from "@countersign/contract";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance } from "fastify";

/**
 * Serves the built console: files with a hash in their name for ever, everything else as the one page, whose router
 * knows the address. No template and no inline script, so one set of strict headers fits all answers.
 */
export async function serveConsole(app: FastifyInstance, folder: string): Promise<void> {
  const page = readFileSync(join(folder, "index.html"));
  const access = "public" as const;
  await app.register(fastifyStatic, {
    root: join(folder, "assets"),
    serve: false,
    preCompressed: true,
    cacheControl: false,
    setHeaders: (reply) => void reply.header("cache-control", "public, max-age=31536000, immutable"),
  });
  const send = { config: { access } };
  app.get<{ Params: { file: string } }>("/assets/:file", send, (request, reply) => reply.sendFile(request.params.file));
  for (const address of consolePages) {
    app.get(address.replace(/\$.*/, "*"), send, async (_request, reply) =>
      reply.type("text/html; charset=utf-8").header("cache-control", "no-cache").send(page),
    );
  }
}
