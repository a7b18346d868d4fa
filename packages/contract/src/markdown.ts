import type { Route } from "./route.ts";
import { routes } from "./routes.ts";
import { problemStatus } from "./schemas/problem.ts";

/** The text of docs/api.md, made from the route table; a test holds the page to it. */
export function apiMarkdown(): string {
  const rows = (Object.entries(routes) as [string, Route][]).map(([name, route]) => {
    const access = typeof route.roles === "string" ? route.roles : route.roles.join(", ");
    const notes = [...(route.requires ?? []), ...(route.profiles ? [`only ${route.profiles.join(", ")}`] : [])];
    return `| \`${route.method} ${route.path}\` | \`${name}\` | ${access} | ${notes.join("; ")} | ${route.summary} |`;
  });
  const problems = Object.entries(problemStatus).map(([code, status]) => `| ${status} | \`${code}\` |`);
  return `# HTTP API

Made from the route table in \`packages/contract\`. The OpenAPI 3.1 document with every schema is served at \`GET /v1/openapi.json\`.
No route returns a secret value; no schema has a place for one.

## How to call it

- **Sign in**: \`POST /v1/session\` with \`{"login", "password", "kind": "bearer"}\` answers with a token; send it as \`Authorization: Bearer <token>\`. Browsers use a cookie (HttpOnly, SameSite=Strict) and must send the header \`x-countersign: 1\` with everything that changes something.
- **Errors** are RFC 9457 problem documents (\`application/problem+json\`) with a \`code\` of the closed list below; \`errors[]\` names fields by JSON pointer.
- **Idempotency-Key** (8 to 200 characters): the same key with the same body by the same person gives the first answer again; with another body it is refused (409).
- **If-Match** on a decision is the plan digest in double quotes: a decision binds one plan, and a changed plan refuses it (412).
- **Lists** take \`limit\` (at most 200) and \`cursor\`; \`nextCursor: null\` is the end. Unknown members of a query or body are refused.
- **Times** are RFC 3339 in UTC with milliseconds, durations in seconds.
- **Events**: \`GET /v1/events\` is a server-sent event stream. An event says that the log grew and which runs it is about; fetch them again. \`Last-Event-ID\` resumes.

## Approving from a script

\`\`\`sh
curl -s $URL/v1/session -H 'content-type: application/json' -d '{"login":"ada","password":"...","kind":"bearer"}'
curl -s $URL/v1/runs/$RUN/statement -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '{"decision":"approve","role":"app-owner"}'
curl -s $URL/v1/runs/$RUN/decisions -H "authorization: Bearer $TOKEN" -H 'content-type: application/json' \\
  -H "if-match: \\"$PLAN_DIGEST\\"" -H 'idempotency-key: approve-1234' -d '{"statement":"<base64>","planDigest":"sha256:..."}'
\`\`\`

The first answer carries the token, the second the exact statement bytes and the plan digest they name. Read the plan (\`GET /v1/runs/{id}\`, \`plan.text\`) and hash it before you sign.

## Routes

| Route | Client function | Who may call | Needs | What it does |
| --- | --- | --- | --- | --- |
${rows.join("\n")}

## Problem codes

| Status | Code |
| --- | --- |
${problems.join("\n")}
`;
}
