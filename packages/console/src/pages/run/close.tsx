import { type CloseWord, Remains, type RunDetail } from "@countersign/contract";
import { useEffect, useState } from "react";
import { api } from "../../api/client.ts";
import { useNames } from "../../api/queries.ts";
import { digestOf } from "../../text/digest.ts";
import { roleWords } from "../../text/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Card } from "../../ui/card.tsx";
import { Digest } from "../../ui/digest.tsx";
import { Time } from "../../ui/time.tsx";
import { ReasonDialog } from "../reason-dialog.tsx";
import type { CheckedPlan } from "./plan.ts";
import { checkStatement } from "./sign-dialog.tsx";

type Close = NonNullable<RunDetail["close"]>;

/** Has the statement made, compares it with this page, and signs it. */
async function sayOnClose(run: string, plan: string, list: string, role: string, decision: CloseWord, reason: string) {
  const params = { id: run };
  const said = reason.trim() === "" ? {} : { reason };
  const made = await api.makeCloseStatement({ params, body: { decision, role, ...said } });
  await checkStatement(made.statement, made.digest, { decision, run, role, plan, remains: list });
  return api.sayOnClose({
    params,
    body: { statement: made.statement, planDigest: plan, reasonAttachment: made.reasonAttachment },
    headers: { "if-match": `"${plan}"` },
  });
}

/** The way out of a hold that nothing else ends: what would remain outside, who has signed that, and the buttons. */
export function CloseCard(props: { readonly detail: RunDetail; readonly checked: CheckedPlan | null }) {
  const { close, run } = props.detail;
  const nameOf = useNames();
  const list = useCheckedList(close);
  if (close === null || list === null) return null;
  const { asked, confirmed, remains } = close;
  return (
    <Card title="If it is closed as it stands, this remains outside">
      <ul className="grid gap-1">
        <li>
          Old credential <code>{list.old.id}</code>: {list.old.standing}
          {list.old.expiresAt !== null && (
            <>
              , expires <Time at={list.old.expiresAt} />
            </>
          )}
        </li>
        {list.left.map(({ step, attempt, standing, ids, target }) => (
          <li key={`${step} ${attempt}`}>
            <Badge tone={standing === "done" ? "warn" : "bad"}>{standing === "done" ? "stands" : "may stand"}</Badge>{" "}
            {step}, attempt {attempt}: <code className="break-all">{JSON.stringify({ ...ids, ...target })}</code>
          </li>
        ))}
        {list.consumers.map(({ name, verified }) => (
          <li key={name}>
            Consumer {name}: {verified === null ? "not seen on the new credential" : `new credential ${verified}`}
          </li>
        ))}
        <li>
          Digest of this list: <Digest of={remains.digest} />
        </li>
        {asked !== null && (
          <li>
            <strong>{nameOf(asked.person)}</strong> as {roleWords[asked.role] ?? asked.role} asked for it at{" "}
            <Time at={asked.at} />: “{asked.reason ?? "reason erased"}”
          </li>
        )}
        {confirmed !== null && (
          <li>
            {nameOf(confirmed.person)} confirmed it at <Time at={confirmed.at} />.
          </li>
        )}
      </ul>
      {props.checked !== null && <Words run={run.id} plan={props.checked.digest} close={close} />}
    </Card>
  );
}

function Words(props: { readonly run: string; readonly plan: string; readonly close: Close }) {
  const { run, plan, close } = props;
  const { you, asked } = close;
  const askAs = you.ask.allowed ? you.ask.roles[0] : undefined;
  const confirmAs = you.confirm.allowed ? you.confirm.roles[0] : undefined;
  if (askAs === undefined && confirmAs === undefined)
    return (
      <p role="status" className="mt-2 text-fg2">
        {asked === null ? you.ask.why : you.confirm.why}
      </p>
    );
  const say = (role: string, decision: CloseWord, reason: string) =>
    sayOnClose(run, plan, close.remains.digest, role, decision, reason);
  return (
    <div className="mt-2 flex flex-wrap gap-2">
      {asked === null && askAs !== undefined && (
        <ReasonDialog
          button="Ask to close it as it stands"
          look="danger"
          title="Close this run as it stands"
          text="You sign the list above: nothing of it is undone, and the application is free for another run. A second person of security must confirm."
          confirm="Sign and ask"
          act={(reason) => say(askAs, "close", reason)}
        />
      )}
      {confirmAs !== undefined && (
        <ReasonDialog
          button="Confirm the close"
          look="danger"
          title="Confirm that this run is closed as it stands"
          text="You sign the same list as the second person. Nothing outside is touched any more by this run."
          confirm="Sign and confirm"
          silent
          act={() => say(confirmAs, "close-confirm", "")}
        />
      )}
    </div>
  );
}

/** The list, once this browser has found its digest to be the one that is signed. */
function useCheckedList(close: Close | null): Remains | null {
  const [list, setList] = useState<Remains | null>(null);
  const text = close?.remains.text;
  const named = close?.remains.digest;
  useEffect(() => {
    setList(null);
    if (text === undefined) return;
    let current = true;
    void digestOf(new TextEncoder().encode(text)).then((digest) => {
      if (current && digest === named) setList(Remains.parse(JSON.parse(text)));
    });
    return () => {
      current = false;
    };
  }, [text, named]);
  return list;
}
