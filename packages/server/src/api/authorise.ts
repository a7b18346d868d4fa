import type { Access } from "@countersign/contract";
import { CountersignError } from "@countersign/core";
import type { KnownPerson } from "./ports.ts";

/** Whether `person` (null = nobody signed in) may call a route with this access. The only place that decides it. */
export function mayCall(access: Access, person: KnownPerson | null): "yes" | "sign-in-first" | "forbidden" {
  if (access === "public") return "yes";
  if (person === null) return "sign-in-first";
  if (access === "signed-in") return "yes";
  return access.some((role) => person.roles.includes(role)) ? "yes" : "forbidden";
}

/** Throws NOT_SIGNED_IN or FORBIDDEN unless `person` may call it. */
export function authorise(access: Access, person: KnownPerson | null): void {
  const answer = mayCall(access, person);
  if (answer === "sign-in-first") throw new CountersignError("NOT_SIGNED_IN", "expected a session, got none");
  if (answer === "forbidden") {
    throw new CountersignError(
      "FORBIDDEN",
      `expected one of the roles ${(access as readonly string[]).join(", ")}, got ${person?.roles.join(", ") || "none"}`,
    );
  }
}
