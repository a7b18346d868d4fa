import { useMutation } from "@tanstack/react-query";
import { api, messageOf } from "../api/client.ts";
import { queryClient, useNames, useSession, useStatus } from "../api/queries.ts";
import { Button } from "../ui/button.tsx";
import { Time } from "../ui/time.tsx";

/** What stops the installation as a whole: a freeze, read-only mode, people who cannot be told. */
export function FreezeBar() {
  const status = useStatus().data;
  const person = useSession().data?.person;
  const nameOf = useNames();
  const lift = useMutation({ mutationFn: () => api.liftFreeze({}), onSettled: () => queryClient.invalidateQueries() });
  if (status === undefined) return null;
  const { freeze, readiness, notices } = status;
  const dead = notices.channels.filter(({ state }) => state === "dead");
  return (
    <>
      {freeze !== null && (
        <div
          role="status"
          className="flex flex-wrap items-center gap-3 border-b border-bad-line bg-bad-bg px-6 py-2 text-bad-fg"
        >
          <span>
            <strong>Frozen</strong> since <Time at={freeze.since} /> by {nameOf(freeze.by)}: no new effects anywhere;
            rolling back stays possible.
          </span>
          {person?.roles.includes("security") ? (
            <Button look="danger" disabled={lift.isPending} onClick={() => lift.mutate()}>
              Lift the freeze
            </Button>
          ) : (
            <span>Only security can lift it.</span>
          )}
          {lift.isError && <span>{messageOf(lift.error)}</span>}
        </div>
      )}
      {readiness.mode === "read-only" && (
        <div role="status" className="border-b border-warn-line bg-warn-bg px-6 py-2 text-warn-fg">
          <strong>Read-only.</strong> {readiness.reasons.map((reason) => reason.sentence).join(" ")}
        </div>
      )}
      {dead.map(({ name, failingSince, lastCode }) => (
        <div key={name} role="status" className="border-b border-warn-line bg-warn-bg px-6 py-2 text-warn-fg">
          <strong>Nothing arrives over the channel {name}</strong>
          {failingSince !== null && (
            <>
              {" "}
              since <Time at={failingSince} />
            </>
          )}
          : {lastCode}. The other channels were told; what waits is tried again.
        </div>
      ))}
    </>
  );
}
