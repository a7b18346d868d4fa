import { api } from "../api/client.ts";
import { ReasonDialog } from "./reason-dialog.tsx";

/** Stops all effects of the installation. */
export function FreezeDialog() {
  return (
    <ReasonDialog
      button="Freeze all"
      look="danger"
      title="Freeze all effects"
      text="Within two seconds nothing is changed outside any more. Rolling back stays possible. Only security can lift it."
      confirm="Freeze"
      silent
      act={() => api.freeze({ body: {} })}
    />
  );
}
