import type { RunDetail } from "@countersign/contract";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api } from "../../api/client.ts";
import { queryClient } from "../../api/queries.ts";
import { digestOf } from "../../text/digest.ts";
import { roleWords } from "../../text/words.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Digest } from "../../ui/digest.tsx";
import { Choice, TextArea } from "../../ui/field.tsx";
import { ProblemBox } from "../../ui/problem.tsx";
import type { CheckedPlan } from "./plan.ts";

interface Statement {
  readonly decision: string;
  readonly runId: string;
  readonly role: string;
  readonly subjects: readonly { readonly digest: string; readonly kind: string }[];
}

/** Refuses to sign a statement that says anything else than what this page shows. */
export async function checkStatement(
  base64: string,
  digest: string,
  expected: { decision: string; run: string; role: string; plan: string; remains?: string },
): Promise<void> {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const statement = JSON.parse(new TextDecoder().decode(bytes)) as Statement;
  const subjects = [
    `plan ${expected.plan}`,
    ...(expected.remains === undefined ? [] : [`remains ${expected.remains}`]),
  ];
  const holds =
    (await digestOf(bytes)) === digest &&
    statement.decision === expected.decision &&
    statement.runId === expected.run &&
    statement.role === expected.role &&
    statement.subjects.map(({ kind, digest: of }) => `${kind} ${of}`).join() === subjects.join();
  if (!holds) throw new Error("expected a statement about the plan on this page, got another");
}

/** The last question: under which role, and for a reject why. Then the statement is made, checked and signed. */
export function SignDialog(props: {
  readonly decision: "approve" | "reject";
  readonly detail: RunDetail;
  readonly checked: CheckedPlan;
  readonly onClose: () => void;
}) {
  const { decision, detail, checked } = props;
  const roles = detail.approvals.yourRoles;
  const [role, setRole] = useState(roles[0] ?? "app-owner");
  const [reason, setReason] = useState("");
  const params = { id: detail.run.id };
  const sign = useMutation({
    mutationFn: async () => {
      const said = reason.trim() === "" ? {} : { reason };
      const made = await api.makeStatement({ params, body: { decision, role, ...said } });
      await checkStatement(made.statement, made.digest, { decision, run: detail.run.id, role, plan: checked.digest });
      return api.decide({
        params,
        body: { statement: made.statement, planDigest: checked.digest, reasonAttachment: made.reasonAttachment },
        headers: { "if-match": `"${checked.digest}"` },
      });
    },
    onSuccess: async () => {
      await queryClient.invalidateQueries();
      props.onClose();
    },
    onError: () => queryClient.invalidateQueries(),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    sign.mutate();
  };
  const approve = decision === "approve";
  return (
    <Dialog
      open
      onClose={props.onClose}
      title={
        approve
          ? `Approve the rotation of ${detail.run.application}`
          : `Reject the rotation of ${detail.run.application}`
      }
    >
      <form onSubmit={submit} className="grid gap-3">
        <p className="text-fg2">
          {approve
            ? "You sign that exactly this plan may be executed. Any change of the plan or of the world voids your signature."
            : "One reject ends the run. Nothing has been changed, and nothing will be."}
        </p>
        <div className="rounded border border-line2 bg-bg2 px-2.5 py-1.5">
          <div className="text-xs font-semibold">Plan digest</div>
          <Digest of={checked.digest} full />
        </div>
        {roles.length > 1 ? (
          <Choice
            label="You decide as"
            value={role}
            onChange={(event) => setRole(event.target.value)}
            options={roles.map((name) => [name, roleWords[name] ?? name] as const)}
          />
        ) : (
          <p>
            You decide as <strong>{roleWords[role] ?? role}</strong>.
          </p>
        )}
        <TextArea
          label={approve ? "Comment (optional, kept with the evidence)" : "Reason (kept with the evidence)"}
          required={!approve}
          minLength={3}
          maxLength={2000}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        {sign.isError && <ProblemBox error={sign.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={props.onClose}>Cancel</Button>
          <Button
            type="submit"
            look={approve ? "primary" : "dangerSolid"}
            disabled={sign.isPending || (!approve && reason.trim().length < 3)}
          >
            {approve ? "Sign and approve" : "Sign and reject"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
