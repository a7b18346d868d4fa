import type { RunDetail, UseWord } from "@countersign/contract";
import { api } from "../../api/client.ts";
import { useNames } from "../../api/queries.ts";
import { duration } from "../../text/duration.ts";
import { roleWords } from "../../text/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Card } from "../../ui/card.tsx";
import { Time, Until } from "../../ui/time.tsx";
import { ReasonDialog } from "../reason-dialog.tsx";
import type { CheckedPlan } from "./plan.ts";
import { checkStatement } from "./sign-dialog.tsx";

type BreakGlass = NonNullable<RunDetail["breakGlass"]>;

/** Has the statement made, compares it with this page, and signs it. */
async function sayOnUse(run: string, checked: CheckedPlan, role: string, decision: UseWord, reason: string) {
  const params = { id: run };
  const said = reason.trim() === "" ? {} : { reason };
  const made = await api.makeUseStatement({ params, body: { decision, role, ...said } });
  await checkStatement(made.statement, made.digest, { decision, run, role, plan: checked.digest });
  return api.sayOnUse({
    params,
    body: { statement: made.statement, planDigest: checked.digest, reasonAttachment: made.reasonAttachment },
    headers: { "if-match": `"${checked.digest}"` },
  });
}

/** The way to start alone; shown only to whom the plan lets do so. Loud on purpose. */
export function StartAlone({ detail, checked }: { readonly detail: RunDetail; readonly checked: CheckedPlan }) {
  const { breakGlass, run } = detail;
  const role = breakGlass?.you.grant.roles[0];
  if (breakGlass === null || !breakGlass.you.grant.allowed || role === undefined) return null;
  const { confirmWithinSeconds, reviewWithinSeconds, unconfirmed } = breakGlass.terms;
  return (
    <div className="mt-3 rounded-lg border-2 border-bad-line bg-bad-bg px-3 py-2 text-bad-fg">
      <p>
        <strong>Break-glass.</strong> Nobody else can be reached, and it cannot wait? You can start this plan alone.
        Owners, security and all who may confirm it are told at once.
      </p>
      <ReasonDialog
        button="Start alone (break-glass)"
        look="dangerSolid"
        className="mt-2 w-full"
        disabled={!checked.matches}
        title={`BREAK-GLASS: start this plan for ${run.application} alone`}
        text={
          <>
            <p>
              You sign, as {roleWords[role] ?? role}, that exactly this plan is executed now without anybody else's
              approval. Everybody hears of it, and it stays in the evidence for ever with your reason.
            </p>
            <ul className="mt-1 list-disc pl-5">
              <li>
                A second person must confirm within {duration(confirmWithinSeconds)}, or the run{" "}
                {unconfirmed === "hold" ? "stops and holds" : "is rolled back (an emergency holds)"}.
              </li>
              <li>
                Somebody else must review it within {duration(reviewWithinSeconds)}. Until a review has accepted it,
                nothing begins by itself for {run.application}.
              </li>
            </ul>
          </>
        }
        confirm="Sign and start alone"
        act={(reason) => sayOnUse(run.id, checked, role, "break-glass", reason)}
      />
    </div>
  );
}

/** What one person started alone: who, why, who confirmed, who reviewed, and the buttons of those who may. */
export function BreakGlassCard({
  detail,
  checked,
}: {
  readonly detail: RunDetail;
  readonly checked: CheckedPlan | null;
}) {
  const nameOf = useNames();
  const { breakGlass, run } = detail;
  if (breakGlass === null || breakGlass.use === null) return null;
  const { use, you } = breakGlass;
  const reviewed = use.reviews.some(({ result }) => result === "accepted");
  return (
    <Card
      title="BREAK-GLASS: one person started this run alone"
      tone="bad"
      aside={<Badge tone={reviewed ? "good" : "bad"}>{reviewed ? "reviewed" : "application locked"}</Badge>}
    >
      <ul className="grid gap-1">
        <li>
          <strong>{nameOf(use.granted.person)}</strong> as {roleWords[use.granted.role] ?? use.granted.role}, at{" "}
          <Time at={use.granted.at} />: “{use.granted.reason ?? "reason erased"}”
        </li>
        <li>
          {use.confirmed === null ? (
            <>
              <Badge tone="bad">not confirmed</Badge> A second person confirms <Until at={use.confirmUntil} /> at the
              latest.
            </>
          ) : (
            <>
              <Badge tone="good">confirmed</Badge> by {nameOf(use.confirmed.person)} at <Time at={use.confirmed.at} />
            </>
          )}
        </li>
        {use.reviews.map((review) => (
          <li key={review.at + review.person}>
            <Badge tone={review.result === "accepted" ? "good" : "bad"}>{review.result}</Badge> by{" "}
            {nameOf(review.person)} at <Time at={review.at} />
            {review.reason !== null && <>: “{review.reason}”</>}
          </li>
        ))}
        {!reviewed && (
          <li>
            Nothing begins by itself for {run.application} until a review accepts this use; it is due{" "}
            <Until at={use.reviewUntil} />.
          </li>
        )}
      </ul>
      {checked !== null && <Words run={run.id} checked={checked} you={you} />}
    </Card>
  );
}

function Words(props: { readonly run: string; readonly checked: CheckedPlan; readonly you: BreakGlass["you"] }) {
  const { run, checked, you } = props;
  const confirmAs = you.confirm.allowed ? you.confirm.roles[0] : undefined;
  const reviewAs = you.review.allowed ? you.review.roles[0] : undefined;
  if (confirmAs === undefined && reviewAs === undefined)
    return (
      <p role="status" className="mt-2 text-fg2">
        {you.confirm.why} {you.review.why !== you.confirm.why && you.review.why}
      </p>
    );
  return (
    <div className="mt-2 flex flex-wrap gap-2">
      {confirmAs !== undefined && (
        <ReasonDialog
          button="Confirm as the second person"
          look="primary"
          title="Confirm that it was right to start"
          text="You sign, over the same plan, that you know of this and that it may go on. Without it the run stops."
          confirm="Sign and confirm"
          silent
          act={() => sayOnUse(run, checked, confirmAs, "confirm", "")}
        />
      )}
      {reviewAs !== undefined && (
        <>
          <ReasonDialog
            button="Accept in review"
            look={confirmAs === undefined ? "primary" : "plain"}
            title="Review: it was in order"
            text="You have looked at what was done and why. With this the application is no longer locked."
            confirm="Sign and accept"
            act={(reason) => sayOnUse(run, checked, reviewAs, "accept", reason)}
          />
          <ReasonDialog
            button="Object in review"
            look="danger"
            title="Review: it was not in order"
            text="Your objection stays in the evidence. The application stays locked until a review accepts the use."
            confirm="Sign and object"
            act={(reason) => sayOnUse(run, checked, reviewAs, "object", reason)}
          />
        </>
      )}
    </div>
  );
}
