import type { Plan, RunDetail } from "@countersign/contract";
import { useEffect, useState } from "react";

/** A plan with the digest that this browser computed itself from the very text it renders. */
export interface CheckedPlan {
  readonly plan: Plan;
  readonly digest: string;
  /** Does our digest equal the one the server names? Nobody can approve otherwise. */
  readonly matches: boolean;
}

/** SHA-256 of bytes as `sha256:<hex>`. */
export async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `sha256:${[...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Parses the plan that is shown and recomputes its digest: what you read is what you sign. Null while it computes. */
export function useCheckedPlan(given: RunDetail["plan"]): CheckedPlan | null {
  const [checked, setChecked] = useState<CheckedPlan | null>(null);
  const text = given?.text;
  const named = given?.digest;
  useEffect(() => {
    setChecked(null);
    if (text === undefined) return;
    let current = true;
    void digestOf(new TextEncoder().encode(text)).then((digest) => {
      if (current) setChecked({ plan: JSON.parse(text) as Plan, digest, matches: digest === named });
    });
    return () => {
      current = false;
    };
  }, [text, named]);
  return checked;
}
