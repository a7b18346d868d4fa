import type { ListedFinding } from "@countersign/contract";
import { useState } from "react";
import { api } from "../api/client.ts";
import { useNames, useSession } from "../api/queries.ts";
import type { Tone } from "../text/words.ts";
import { Badge } from "../ui/badge.tsx";
import { TextField } from "../ui/field.tsx";
import { useNow } from "../ui/now.tsx";
import { Time } from "../ui/time.tsx";
import { ReasonDialog } from "./reason-dialog.tsx";

type Given = NonNullable<ListedFinding["acceptance"]>;

const words: Readonly<Record<Given["state"], readonly [Tone, string]>> = {
  asked: ["brand", "Waits for a second person"],
  accepted: ["good", "Accepted"],
  expired: ["neutral", "Was accepted"],
  changed: ["warn", "Something else was accepted"],
};
const dayMs = 86_400_000;
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** Whether people accept a finding: who asked, who confirmed, until when and why; and what the person may say about it. */
export function Acceptance({ finding }: { readonly finding: ListedFinding }) {
  const { acceptance } = finding;
  const isOver = acceptance === null || acceptance.state === "expired";
  return (
    <div className="mt-1 grid gap-1 text-xs">
      {acceptance !== null && <Said acceptance={acceptance} />}
      {isOver ? <Ask finding={finding} /> : <Words acceptance={acceptance} />}
    </div>
  );
}

function Said({ acceptance }: { readonly acceptance: Given }) {
  const nameOf = useNames();
  const { state, until, askedBy, confirmedBy, reason } = acceptance;
  const [tone, word] = words[state];
  return (
    <div className="text-fg2">
      <Badge tone={tone}>{word}</Badge> until <Time at={until} />. Asked by {nameOf(askedBy)}
      {confirmedBy !== null && <>, confirmed by {nameOf(confirmedBy)}</>}:{" "}
      <q className="wrap-anywhere">{reason ?? "erased"}</q>
    </div>
  );
}

function Ask({ finding }: { readonly finding: ListedFinding }) {
  const roles = useSession().data?.person?.roles ?? [];
  const now = useNow();
  const [until, setUntil] = useState("");
  const { id } = finding;
  if (id === null || !roles.some((role) => role !== "auditor")) return null;
  return (
    <ReasonDialog
      button="Accept until…"
      look="subtle"
      className="justify-self-start px-1"
      title="Accept this finding until a date"
      text={
        <>
          <p className="mb-2">
            It counts until a second person, of security, confirms. Then it counts no more, until the beginning of that
            day (UTC) or until something else is seen. It changes nothing else: no rotation is allowed by it.
          </p>
          <TextField
            label="Accepted until"
            type="date"
            required
            min={dayOf(now + dayMs)}
            value={until}
            onChange={(event) => setUntil(event.target.value)}
          />
        </>
      }
      confirm="Ask for it"
      act={(reason) => api.askAcceptances({ body: { findings: [id], until: `${until}T00:00:00.000Z`, reason } })}
    />
  );
}

function Words({ acceptance }: { readonly acceptance: Given }) {
  const { id, you, confirmedBy } = acceptance;
  const body = { acceptances: [id] };
  return (
    <div className="flex gap-1">
      {confirmedBy === null && (
        <ReasonDialog
          silent
          button="Confirm"
          look="primary"
          className="text-xs"
          disabled={!you.confirm.allowed}
          why={you.confirm.why}
          title="Accept this finding as a second person"
          text="It counts no more until its date."
          confirm="Accept"
          act={() => api.confirmAcceptances({ body })}
        />
      )}
      <ReasonDialog
        silent
        button="Take back"
        look="subtle"
        className="text-xs"
        disabled={!you.withdraw.allowed}
        why={you.withdraw.why}
        title="Take this acceptance back"
        text="The finding counts again at once."
        confirm="Take back"
        act={() => api.withdrawAcceptances({ body })}
      />
    </div>
  );
}
