import type { Plan, RunDetail } from "@countersign/contract";
import { useEffect, useState } from "react";
import { digestOf } from "../../text/digest.ts";

/** A plan with the digest that this browser computed itself from the very text it renders. */
export interface CheckedPlan {
  readonly plan: Plan;
  readonly digest: string;
  /** Does our digest equal the one the server names? Nobody can approve otherwise. */
  readonly matches: boolean;
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
