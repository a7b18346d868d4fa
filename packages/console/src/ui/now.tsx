import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import { useStatus } from "../api/queries.ts";

const Now = createContext(0);

/** Domain time for countdowns: ticks by itself with the system clock, stands still between events with a virtual one. */
export function NowProvider({ children }: { readonly children: ReactNode }) {
  const status = useStatus().data;
  const [ticks, setTicks] = useState({ base: 0, passed: 0 });
  // Until the server has said what time it is: one fixed moment, not another one with each rendering.
  const [opened] = useState(() => performance.timeOrigin + performance.now());
  const base = status === undefined ? opened : Date.parse(status.now);
  const ticking = status?.clock.kind === "system";
  useEffect(() => {
    setTicks({ base, passed: 0 });
    if (!ticking) return;
    const startedAt = performance.now();
    const timer = setInterval(() => setTicks({ base, passed: performance.now() - startedAt }), 1_000);
    return () => clearInterval(timer);
  }, [base, ticking]);
  return <Now value={ticks.base === base ? base + ticks.passed : base}>{children}</Now>;
}

/** Now, in domain time, ms since the epoch. */
export function useNow(): number {
  return useContext(Now);
}
