import type { Answer } from "@countersign/contract";
import { timeText, useZone } from "../ui/time.tsx";

type Week = Answer<"getExpiryWeeks">["weeks"][number];

const width = 800;
const height = 150;
const base = height - 22;
const parts = [
  ["ready", "fill-good-line", "in the inventory, can be rotated"],
  ["stuck", "fill-bad-line", "in the inventory, something stands in the way"],
  ["unmanaged", "fill-line1", "not in the inventory: nobody will rotate it"],
] as const;

/** What expires in each week, as stacked bars: what can be rotated, what cannot, what nobody manages. */
export function ExpiryWeeks({ weeks }: { readonly weeks: readonly Week[] }) {
  const [zone] = useZone();
  const total = (week: Week) => week.ready + week.stuck + week.unmanaged;
  const most = Math.max(1, ...weeks.map(total));
  const step = width / Math.max(1, weeks.length);
  const day = (at: string) => timeText(at, zone).replace(/, \d\d:\d\d.*/, "");
  return (
    <figure>
      <svg viewBox={`0 0 ${width} ${height}`} className="w-full" role="img" aria-label={sentence(weeks)}>
        {weeks.map((week, index) => {
          let top = base;
          return (
            <g key={week.from}>
              <title>{`Week from ${day(week.from)}: ${parts.map(([part, , text]) => `${week[part]} ${text}`).join("; ")}`}</title>
              {parts.map(([part, fill]) => {
                const tall = week[part] === 0 ? 0 : Math.max(2, (week[part] / most) * (base - 18));
                top -= tall;
                return <rect key={part} x={index * step + 4} y={top} width={step - 8} height={tall} className={fill} />;
              })}
              {total(week) > 0 && (
                <text x={index * step + step / 2} y={top - 4} textAnchor="middle" className="fill-fg2 text-[11px]">
                  {total(week)}
                </text>
              )}
              <text x={index * step + step / 2} y={height - 6} textAnchor="middle" className="fill-fg3 text-[11px]">
                {index % 2 === 0 ? day(week.from).replace(/ \d{4}$/, "") : ""}
              </text>
            </g>
          );
        })}
      </svg>
      <figcaption className="flex flex-wrap gap-4 text-xs text-fg2">
        {parts.map(([part, fill, text]) => (
          <span key={part} className="flex items-center gap-1">
            <svg viewBox="0 0 10 10" className="size-2.5" aria-hidden="true">
              <rect width="10" height="10" className={fill} />
            </svg>
            {weeks.reduce((sum, week) => sum + week[part], 0)} {text}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function sentence(weeks: readonly Week[]): string {
  const sum = (part: (typeof parts)[number][0]) => weeks.reduce((all, week) => all + week[part], 0);
  return `What expires in the next ${weeks.length} weeks: ${parts.map(([part, , text]) => `${sum(part)} ${text}`).join("; ")}.`;
}
