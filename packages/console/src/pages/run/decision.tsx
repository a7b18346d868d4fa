import type { Plan, RunDetail } from "@countersign/contract";
import { useState } from "react";
import { useNames } from "../../api/queries.ts";
import { roleWords } from "../../text/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Card } from "../../ui/card.tsx";
import { Digest } from "../../ui/digest.tsx";
import { Time, Until } from "../../ui/time.tsx";
import { StartAlone } from "./break-glass.tsx";
import type { CheckedPlan } from "./plan.ts";
import { SignDialog } from "./sign-dialog.tsx";

/** Who must sign and who has, what happens if nobody does, the digest, and the two buttons. */
export function DecisionCard({ detail, checked }: { readonly detail: RunDetail; readonly checked: CheckedPlan }) {
  const { approvals, run } = detail;
  const [asking, setAsking] = useState<"approve" | "reject" | null>(null);
  const open = run.state === "awaiting_approval";
  return (
    <Card
      title={open ? "Your decision" : "Approvals"}
      aside={
        open &&
        approvals.expiresAt !== null && (
          <>
            ends <Until at={approvals.expiresAt} />
          </>
        )
      }
    >
      <Signers plan={checked.plan} detail={detail} />
      {open && approvals.expiresAt !== null && (
        <p className="mt-2 text-xs text-fg3">
          If nobody decides until <Time at={approvals.expiresAt} />, the run expires and nothing is changed. If the
          world changes first, every approval is void.
        </p>
      )}
      <div className="mt-2 rounded border border-line2 bg-bg2 px-2.5 py-1.5">
        <div className="flex items-center justify-between text-xs">
          <span className="font-semibold">A yes binds this digest</span>
          <Badge tone={checked.matches ? "good" : "bad"}>
            {checked.matches ? "recomputed here" : "does not match"}
          </Badge>
        </div>
        <Digest of={checked.digest} full />
      </div>
      {open &&
        (approvals.you.allowed ? (
          <div className="mt-3 grid grid-cols-[1fr_auto] gap-2">
            <Button
              look="primary"
              className="min-h-10"
              disabled={!checked.matches}
              onClick={() => setAsking("approve")}
            >
              Approve
            </Button>
            <Button look="danger" className="min-h-10" onClick={() => setAsking("reject")}>
              Reject
            </Button>
          </div>
        ) : (
          <p role="status" className="mt-3 rounded border border-line2 bg-bg3 px-3 py-2">
            {approvals.you.why}
          </p>
        ))}
      {open && <StartAlone detail={detail} checked={checked} />}
      {asking !== null && (
        <SignDialog decision={asking} detail={detail} checked={checked} onClose={() => setAsking(null)} />
      )}
    </Card>
  );
}

function Signers({ plan, detail }: { readonly plan: Plan; readonly detail: RunDetail }) {
  const nameOf = useNames();
  const { given } = detail.approvals;
  return (
    <ul className="grid gap-1.5">
      {plan.approvals.require.map((required) => {
        const signed = given.filter((approval) => approval.role === required.role && approval.refused === null);
        const names = required.people.map(nameOf).join(" or ");
        return (
          <li key={required.role} className="flex items-start gap-2">
            <span aria-hidden="true" className={signed.length > 0 ? "text-good-fg" : "text-fg3"}>
              {signed.length > 0 ? "●" : "○"}
            </span>
            <div className="min-w-0 flex-1 leading-5">
              <div className="font-semibold">
                {roleWords[required.role] ?? required.role}
                {required.count > 1 && ` (${required.count} people)`}
              </div>
              {signed.map((approval) => (
                <div key={approval.statementDigest}>
                  <Badge tone={approval.decision === "approve" ? "good" : "bad"}>
                    {approval.decision === "approve" ? "approved" : "rejected"}
                  </Badge>{" "}
                  {nameOf(approval.person)}, <Time at={approval.at} />
                  {approval.reason !== null && <div className="text-fg2">“{approval.reason}”</div>}
                </div>
              ))}
              {signed.length < required.count && (
                <div className="text-fg2">{names === "" ? "nobody holds this role" : `waits for ${names}`}</div>
              )}
            </div>
          </li>
        );
      })}
      <li className="text-xs text-fg3">
        Different people for each role
        {plan.approvals.separation.includes("requester-cannot-approve") && "; who asked cannot approve"}. Level:{" "}
        {plan.approvals.minLevel}, attested by the server.
      </li>
    </ul>
  );
}
