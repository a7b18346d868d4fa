import { z } from "zod";
import type { Route } from "./route.ts";
import { routes } from "./routes.ts";
import { Problem, problemStatus } from "./schemas/problem.ts";

type Document = Record<string, unknown>;

/** The OpenAPI 3.1 document of the API, made from the route table. */
export function openApi(version: string): Document {
  const paths: Record<string, Record<string, Document>> = {};
  for (const [name, route] of Object.entries(routes) as [string, Route][]) {
    paths[route.path] ??= {};
    (paths[route.path] as Record<string, Document>)[route.method.toLowerCase()] = operation(name, route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Countersign",
      version,
      description:
        "Governs the rotation of secrets: approved, crash-safe, provable. No route ever returns a secret value.",
    },
    paths,
    components: {
      schemas: { Problem: schemaOf(Problem, "output") },
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer" },
        cookie: { type: "apiKey", in: "cookie", name: "cs_session" },
      },
    },
  };
}

function operation(name: string, route: Route): Document {
  const status = String(route.status ?? 200);
  return {
    operationId: name,
    summary: route.summary,
    ...(route.roles === "public" ? { security: [] } : { security: [{ bearer: [] }, { cookie: [] }] }),
    "x-roles": route.roles,
    parameters: [
      ...parametersOf(route.params, "path"),
      ...parametersOf(route.query, "query"),
      ...(route.requires ?? []).map((header) => ({
        name: header,
        in: "header",
        required: true,
        schema: { type: "string" },
      })),
    ],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: { required: true, content: { "application/json": { schema: schemaOf(route.body, "input") } } },
        }),
    responses: {
      [status]: { description: "Success", ...contentOf(route) },
      default: {
        description: `A problem; its code is one of ${Object.keys(problemStatus).join(", ")}`,
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    },
  };
}

function contentOf(route: Route): Document {
  if (route.content === "empty") return {};
  if (route.content === "zip")
    return { content: { "application/zip": { schema: { type: "string", format: "binary" } } } };
  if (route.content === "events") return { content: { "text/event-stream": { schema: { type: "string" } } } };
  return { content: { "application/json": { schema: schemaOf(route.response, "output") } } };
}

function parametersOf(schema: z.ZodType | undefined, place: "path" | "query"): Document[] {
  if (schema === undefined) return [];
  const { properties, required } = schemaOf(schema, "input") as { properties: Document; required?: string[] };
  return Object.entries(properties).map(([name, of]) => ({
    name,
    in: place,
    required: place === "path" || (required?.includes(name) ?? false),
    schema: of,
  }));
}

/** JSON Schema 2020-12 of a schema, named parts inlined (`$defs` would not resolve inside the document). */
function schemaOf(schema: z.ZodType, io: "input" | "output"): Document {
  const registry = z.registry<{ id?: string }>();
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    reused: "inline",
    metadata: registry,
  }) as Document;
  return rest;
}
