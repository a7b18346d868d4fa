import type { RunDetail } from "@countersign/contract";
import { duration } from "../../text/duration.ts";
import { humanise } from "../../text/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Card, Facts } from "../../ui/card.tsx";
import { Time } from "../../ui/time.tsx";

/** How long each thing took after somebody reported a compromise, and what is still to come. */
export function CompromiseClock({ detail }: { readonly detail: RunDetail }) {
  const { compromise } = detail;
  if (compromise === null) return null;
  const { reportedAt, oldDeadAt, restoredAt, containWithinSeconds, restoreWithinSeconds, leftBehind } = compromise;
  const after = (at: string | null, within: number | null = null) => {
    if (at === null) return within === null ? "not yet" : `not yet; asked for within ${duration(within)}`;
    const seconds = (Date.parse(at) - Date.parse(reportedAt)) / 1_000;
    return (
      <>
        <Time at={at} seconds />, {duration(seconds)} after the report{" "}
        {within !== null && seconds > within && <Badge tone="bad">late</Badge>}
      </>
    );
  };
  return (
    <Card title="Compromise clock" aside={<code className="font-mono">{compromise.credential}</code>}>
      <Facts
        items={[
          ["Reported", <Time key="reported" at={reportedAt} seconds />],
          ["Authorised", after(compromise.authorisedAt)],
          ["New one live", after(compromise.newLiveAt)],
          ["Old one dead", after(oldDeadAt, containWithinSeconds)],
          ["Shown refused", after(compromise.shownDeadAt)],
          ["Last token dead", after(compromise.lastTokenDeadAt)],
          ["All consumers well", after(restoredAt, restoreWithinSeconds)],
        ]}
      />
      {leftBehind.length > 0 && (
        <p role="status" className="mt-1 text-bad-fg">
          Could not be written and fails until it is:{" "}
          {leftBehind.map((id) => humanise(id.replace("update:", ""))).join(", ")}.
        </p>
      )}
      <p className="mt-1 text-xs text-fg3">
        The last token is a bound, not an observation: {duration(compromise.tokenBound.seconds)} after the removal.{" "}
        {compromise.tokenBound.source}.
      </p>
    </Card>
  );
}
