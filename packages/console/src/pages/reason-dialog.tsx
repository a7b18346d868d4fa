import { useMutation } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { queryClient } from "../api/queries.ts";
import { Button, type ButtonProps } from "../ui/button.tsx";
import { Dialog } from "../ui/dialog.tsx";
import { TextArea } from "../ui/field.tsx";
import { ProblemBox } from "../ui/problem.tsx";

/** A button that asks once more, and for a reason unless `silent`, before it acts. */
export function ReasonDialog(props: {
  readonly button: string;
  readonly look?: ButtonProps["look"];
  readonly title: string;
  readonly text: ReactNode;
  readonly confirm: string;
  readonly disabled?: boolean;
  readonly why?: string | null;
  readonly className?: string;
  readonly silent?: boolean;
  readonly act: (reason: string) => Promise<unknown>;
}) {
  const [open, setOpen] = useState(false);
  const [reason, setReason] = useState("");
  const act = useMutation({
    mutationFn: () => props.act(reason),
    onSuccess: async () => {
      setOpen(false);
      setReason("");
      await queryClient.invalidateQueries();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    act.mutate();
  };
  return (
    <>
      <Button
        look={props.look ?? "plain"}
        disabled={props.disabled}
        title={props.why ?? undefined}
        className={props.className}
        onClick={() => setOpen(true)}
      >
        {props.button}
      </Button>
      <Dialog open={open} onClose={() => setOpen(false)} title={props.title}>
        <form onSubmit={submit} className="grid gap-3">
          <div className="text-fg2">{props.text}</div>
          {props.silent !== true && (
            <TextArea
              label="Reason (kept with the evidence)"
              required
              minLength={3}
              maxLength={2000}
              value={reason}
              onChange={(event) => setReason(event.target.value)}
            />
          )}
          {act.isError && <ProblemBox error={act.error} />}
          <div className="flex justify-end gap-2">
            <Button onClick={() => setOpen(false)}>Cancel</Button>
            <Button
              type="submit"
              look={props.look === "primary" ? "primary" : "dangerSolid"}
              disabled={act.isPending || (props.silent !== true && reason.trim().length < 3)}
            >
              {props.confirm}
            </Button>
          </div>
        </form>
      </Dialog>
    </>
  );
}
