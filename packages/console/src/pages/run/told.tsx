import type { RunDetail } from "@countersign/contract";
import { useNames } from "../../api/queries.ts";
import { humanise, type Tone } from "../../text/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Card } from "../../ui/card.tsx";

type Notice = RunDetail["notices"][number];

const words: Readonly<Record<Notice["state"], string>> = {
  due: "on its way",
  bundled: "in the next digest",
  digested: "in a digest",
  sent: "delivered",
  failed: "given up",
};
const toneOf = ({ state, code }: Notice): Tone =>
  state === "sent" ? "good" : state === "failed" || code !== null ? "bad" : "neutral";

/** Who was told over which channel, whether it arrived, and in which ticket it stands. */
export function Told({ notices }: { readonly notices: readonly Notice[] }) {
  const nameOf = useNames();
  if (notices.length === 0) return null;
  return (
    <Card title="Told">
      <ul>
        {notices.map((notice) => (
          <li key={notice.id} className="flex justify-between gap-3">
            <span>
              {humanise(notice.kind)} by {notice.channel}
              {notice.recipient !== null && ` to ${nameOf(notice.recipient)}`}
              {notice.ticket?.url != null && (
                <>
                  {" "}
                  <a className="underline" href={notice.ticket.url} rel="noreferrer">
                    {notice.ticket.key}
                  </a>
                </>
              )}
            </span>
            <Badge tone={toneOf(notice)}>
              {words[notice.state]}
              {notice.code !== null && `: ${notice.code}`}
            </Badge>
          </li>
        ))}
      </ul>
    </Card>
  );
}
