import type { Credential } from "@countersign/contract";
import { useNow } from "../ui/now.tsx";
import { timeText, useZone } from "../ui/time.tsx";

const width = 800;
const left = 120;
const rowHeight = 26;
const day = 86_400_000;

interface Switch {
  readonly consumer: string;
  readonly at: string;
}

/** Lives of an application's credentials on one time axis, the present, and when each consumer switched. */
export function OverlapTimeline({
  credentials,
  switches,
}: {
  readonly credentials: readonly Credential[];
  readonly switches: readonly Switch[];
}) {
  const now = useNow();
  const [zone] = useZone();
  const shown = credentials.slice(0, 8);
  const starts = shown.flatMap((credential) => (credential.startsAt === null ? [] : [Date.parse(credential.startsAt)]));
  const ends = shown.flatMap((credential) => (credential.expiresAt === null ? [] : [Date.parse(credential.expiresAt)]));
  const from = Math.min(now - 7 * day, ...starts);
  const to = Math.max(now + 7 * day, ...ends);
  const x = (at: number) => left + ((at - from) / (to - from)) * (width - left - 10);
  const height = 26 + shown.length * rowHeight + (switches.length > 0 ? rowHeight : 0) + 18;
  const label = (at: number) => timeText(new Date(at).toISOString(), zone).replace(/, \d\d:\d\d.*/, "");
  return (
    <svg
      viewBox={`0 0 ${width} ${height}`}
      className="w-full"
      role="img"
      aria-label={`Timeline of ${shown.length} credentials; the table below holds the same times.`}
    >
      {shown.map((credential, index) => {
        const begin = credential.startsAt === null ? from : Date.parse(credential.startsAt);
        const end = credential.expiresAt === null ? to : Date.parse(credential.expiresAt);
        const y = 20 + index * rowHeight;
        const ours = credential.state.startsWith("ours");
        return (
          <g key={credential.id}>
            <text x={0} y={y + 13} className="fill-fg2 font-mono text-[11px]">
              {credential.id.length > 14 ? `${credential.id.slice(0, 8)}…` : credential.id}
            </text>
            <rect
              x={x(begin)}
              y={y + 2}
              width={Math.max(3, x(end) - x(begin))}
              height={16}
              rx={3}
              className={
                credential.state === "retired"
                  ? "fill-bg3 stroke-line1"
                  : ours
                    ? "fill-brand stroke-brand"
                    : "fill-line1 stroke-line1"
              }
            />
          </g>
        );
      })}
      {switches.map((item) => (
        <g key={`${item.consumer}${item.at}`}>
          <circle cx={x(Date.parse(item.at))} cy={20 + shown.length * rowHeight + 10} r={4} className="fill-good-fg" />
          <title>{`${item.consumer} switched ${item.at}`}</title>
        </g>
      ))}
      {switches.length > 0 && (
        <text x={0} y={20 + shown.length * rowHeight + 14} className="fill-fg2 text-[11px]">
          consumers switched
        </text>
      )}
      <line x1={x(now)} x2={x(now)} y1={10} y2={height - 16} className="stroke-bad-fg" strokeDasharray="3 3" />
      <text x={x(now)} y={9} textAnchor="middle" className="fill-bad-fg text-[11px]">
        now
      </text>
      <text x={left} y={height - 3} className="fill-fg3 text-[11px]">
        {label(from)}
      </text>
      <text x={width - 10} y={height - 3} textAnchor="end" className="fill-fg3 text-[11px]">
        {label(to)}
      </text>
    </svg>
  );
}
