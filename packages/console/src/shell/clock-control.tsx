import { useMutation } from "@tanstack/react-query";
import { api, messageOf } from "../api/client.ts";
import { queryClient, useStatus } from "../api/queries.ts";
import { useNow } from "../ui/now.tsx";
import { Time, Until } from "../ui/time.tsx";

const steps = [
  ["+1 h", 3_600],
  ["+1 day", 86_400],
  ["Next event", "next"],
] as const;

/** The virtual clock, and its controls; only where the installation has one. */
export function ClockControl() {
  const status = useStatus().data;
  const now = useNow();
  const advance = useMutation({
    mutationFn: (by: number | "next") => api.advanceClock({ body: { by } }),
    onSettled: () => queryClient.invalidateQueries(),
  });
  if (status === undefined) return null;
  return (
    <section aria-label="Clock" className="grid gap-1 rounded border border-line2 bg-bg2 p-2 text-xs">
      <div className="text-fg3">{status.clock.kind === "virtual" ? "Virtual clock" : "Clock"}</div>
      <div className="text-xs font-semibold [&_time]:whitespace-normal">
        <Time at={new Date(now).toISOString()} />
      </div>
      {status.clock.advance && (
        <>
          <div className="flex flex-wrap gap-1">
            {steps.map(([text, by]) => (
              <button
                key={text}
                type="button"
                disabled={advance.isPending || (by === "next" && status.clock.nextEventAt === null)}
                className="min-h-6 rounded border border-line1 bg-bg1 px-1.5 font-semibold text-fg1 hover:bg-bg3 disabled:text-fg3"
                onClick={() => advance.mutate(by)}
              >
                {text}
              </button>
            ))}
          </div>
          <div className="text-fg3" aria-live="polite">
            {advance.isPending ? (
              "Advancing, event by event…"
            ) : status.clock.nextEventAt === null || Date.parse(status.clock.nextEventAt) <= now ? (
              status.clock.nextEventAt === null ? (
                "Nothing waits."
              ) : (
                "Something is due now."
              )
            ) : (
              <>
                Next event <Until at={status.clock.nextEventAt} />
              </>
            )}
          </div>
          {advance.isError && <div className="text-bad-fg">{messageOf(advance.error)}</div>}
        </>
      )}
    </section>
  );
}
