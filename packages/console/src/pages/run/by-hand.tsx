import type { RunDetail } from "@countersign/contract";
import { api } from "../../api/client.ts";
import { useNames } from "../../api/queries.ts";
import { Badge } from "../../ui/badge.tsx";
import { Card } from "../../ui/card.tsx";
import { Time } from "../../ui/time.tsx";
import { ReasonDialog } from "../reason-dialog.tsx";

/** What the owners were asked to do by hand: the checklist, who confirmed it, and the button for those who may. */
export function ByHand({ detail }: { readonly detail: RunDetail }) {
  return detail.hand.map((hand) => <HandCard key={hand.step} run={detail.run.id} hand={hand} />);
}

function HandCard({ run, hand }: { readonly run: string; readonly hand: RunDetail["hand"][number] }) {
  const nameOf = useNames();
  const back = hand.direction === "undo";
  const { confirmed, you } = hand;
  const say = (given: boolean) =>
    api.confirmStep({
      params: { id: run },
      body: { step: hand.step, direction: hand.direction, confirmation: given ? "given" : "withdrawn" },
    });
  return (
    <Card
      title={back ? "To be put back by hand" : "To be done by hand"}
      aside={
        <Badge tone={confirmed === null ? "warn" : "good"}>
          {confirmed === null ? "waits for an owner" : "confirmed"}
        </Badge>
      }
    >
      <p>
        {back
          ? "The run rolls back. Put back what was done here, with the value that the record holds now; the new credential stays valid until you have said so."
          : `${hand.describe}.`}
      </p>
      <ol className="mt-1 list-decimal pl-5">
        {hand.checklist.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ol>
      <div className="mt-2 flex items-center justify-between gap-3">
        <p role="status" className="text-fg2">
          {confirmed === null ? (
            you.allowed ? (
              "Nobody has said yet that it was done."
            ) : (
              you.why
            )
          ) : (
            <>
              {nameOf(confirmed.person)}, <Time at={confirmed.at} />
            </>
          )}
        </p>
        {you.allowed &&
          (confirmed === null ? (
            <ReasonDialog
              button={back ? "It is put back" : "It is done"}
              look="primary"
              title={back ? "Confirm that it is put back" : "Confirm that it is done"}
              text="Your confirmation goes into the evidence, with your id. The last use of the credential shows the rest. You can withdraw it until the old credential is removed."
              confirm={back ? "It is put back" : "It is done"}
              silent
              act={() => say(true)}
            />
          ) : (
            <ReasonDialog
              button="Withdraw"
              title="Withdraw the confirmation"
              text="The run waits again. Nothing is removed meanwhile."
              confirm="Withdraw"
              silent
              act={() => say(false)}
            />
          ))}
      </div>
    </Card>
  );
}
