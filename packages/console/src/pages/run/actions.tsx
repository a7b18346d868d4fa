import type { RunDetail } from "@countersign/contract";
import { api } from "../../api/client.ts";
import { ReasonDialog } from "../reason-dialog.tsx";

/** What may be done with the run now; what may not is left away, its reason stands in the API's answer. */
export function RunActions({ detail }: { readonly detail: RunDetail }) {
  const { run, actions } = detail;
  const params = { id: run.id };
  return (
    <div className="flex shrink-0 flex-wrap justify-end gap-2">
      {actions.holdDecision.allowed && (
        <>
          <ReasonDialog
            button="Retry"
            title="Retry the step that failed"
            text="The run goes on where it was held. Both credentials stay valid."
            confirm="Retry"
            look="primary"
            act={(reason) => api.decideHold({ params, body: { choice: "retry", reason } })}
          />
          <ReasonDialog
            button="Roll forward"
            title="Roll forward"
            text="The run goes on with the new credential. Use it when the consumers have it already."
            confirm="Roll forward"
            act={(reason) => api.decideHold({ params, body: { choice: "roll-forward", reason } })}
          />
        </>
      )}
      {(actions.rollBack.allowed || (actions.rollBack.why?.includes("already") ?? false)) && (
        <ReasonDialog
          button={actions.rollBack.allowed ? "Roll back" : "Roll back asked for"}
          disabled={!actions.rollBack.allowed}
          why={actions.rollBack.why}
          look="danger"
          title="Roll this run back"
          text="Consumers return to the old credential. The new one stays valid until every consumer is confirmed back, then it is removed."
          confirm="Roll back"
          act={(reason) =>
            run.state === "held"
              ? api.decideHold({ params, body: { choice: "roll-back", reason } })
              : api.rollBack({ params, body: { reason } })
          }
        />
      )}
      {actions.withdraw.allowed && (
        <ReasonDialog
          button="Withdraw"
          title="Withdraw this run"
          text="Nothing has been changed yet and nothing will be. The request can be made again."
          confirm="Withdraw"
          silent
          act={() => api.withdraw({ params, body: {} })}
        />
      )}
    </div>
  );
}
