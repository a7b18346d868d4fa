import { useSyncExternalStore } from "react";
import { duration } from "../text/duration.ts";
import { useNow } from "./now.tsx";

type Zone = "utc" | "local";
const listeners = new Set<() => void>();

/** Read once: a list asks for it with each of its times. */
let chosen: Zone = localStorage.getItem("zone") === "local" ? "local" : "utc";

/** Which zone times are shown in, and how to change it; remembered in this browser. */
export function useZone(): [Zone, (zone: Zone) => void] {
  const zone = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => chosen,
  );
  return [
    zone,
    (next) => {
      chosen = next;
      localStorage.setItem("zone", next);
      for (const listener of listeners) listener();
    },
  ];
}

/** Made once: a format costs a thousand times what one formatting costs. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: Zone, seconds: boolean): Intl.DateTimeFormat {
  const key = `${zone} ${seconds}`;
  const known = formats.get(key);
  if (known !== undefined) return known;
  const made = new Intl.DateTimeFormat("en-GB", {
    day: "2-digit",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    ...(seconds ? { second: "2-digit" } : {}),
    ...(zone === "utc" ? { timeZone: "UTC" } : {}),
  });
  formats.set(key, made);
  return made;
}

/** A time as text in one zone. */
export function timeText(at: string, zone: Zone, seconds = false): string {
  return `${formatOf(zone, seconds).format(new Date(at))}${zone === "utc" ? " UTC" : ""}`;
}

/** An instant: the time in the chosen zone, the exact form on hover. */
export function Time({ at, seconds = false }: { readonly at: string; readonly seconds?: boolean }) {
  const [zone] = useZone();
  return (
    <time dateTime={at} title={at} className="whitespace-nowrap tabular-nums">
      {timeText(at, zone, seconds)}
    </time>
  );
}

/** How far away an instant is, in domain time; counts down by itself. */
export function Until({ at }: { readonly at: string }) {
  const left = Date.parse(at) - useNow();
  return (
    <time dateTime={at} title={at} className="whitespace-nowrap tabular-nums">
      {left >= 0 ? `in ${duration(left / 1_000)}` : `${duration(-left / 1_000)} ago`}
    </time>
  );
}
