import type { FoundUse } from "@countersign/contract";
import { Command } from "../ui/card.tsx";
import { Time } from "../ui/time.tsx";

/** What was seen in use and nobody declared, each with the line that declares it. */
export function FoundUses({ found }: { readonly found: readonly FoundUse[] }) {
  return (
    <ul className="mt-1 grid gap-1">
      {found.map((use) => (
        <Found key={`${use.kind} ${use.where}`} use={use} />
      ))}
    </ul>
  );
}

function Found({ use }: { readonly use: FoundUse }) {
  return (
    <li>
      {use.kind === "entry" ? (
        <>
          Vault entry <b className="wrap-anywhere">{use.where}</b> points at it ({use.because})
        </>
      ) : (
        <>
          <b>{use.where}</b> signs in with it, last {use.lastAt === null ? "not known" : <Time at={use.lastAt} />}; or
          add it to <code>callers</code> of the consumer that it belongs to
        </>
      )}
      <div>
        <Command text={use.declare} />
      </div>
    </li>
  );
}
