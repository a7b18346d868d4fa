import type { AuditChange } from "@countersign/contract";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { memo } from "react";
import { api } from "../api/client.ts";
import { query, useNames } from "../api/queries.ts";
import { humanise, type Tone } from "../text/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Empty } from "../ui/card.tsx";
import { Choice, TextField } from "../ui/field.tsx";
import { Listing } from "../ui/listing.tsx";
import { filterReader, options } from "../ui/pager.tsx";
import { Loaded } from "../ui/problem.tsx";
import { Cell } from "../ui/table.tsx";
import { Time } from "../ui/time.tsx";
import { ReasonDialog } from "./reason-dialog.tsx";

const keys = ["q", "application", "tenant", "verdict", "standing", "since", "cursor"] as const;
export const readChangeFilter = filterReader(keys);
type ChangeFilter = ReturnType<typeof readChangeFilter>;

const standingWords: Readonly<Record<string, string>> = { true: "Waits for an explanation", false: "All others" };
const tones: Readonly<Record<AuditChange["verdict"], Tone>> = {
  ours: "good",
  "break-glass": "warn",
  "out-of-band": "bad",
  unknown: "warn",
};

/** Every change of a credential that the directories' own logs tell of, with whose doing it was. */
export function ChangesPage() {
  const filter = useSearch({ from: "/shell/changes" });
  const navigate = useNavigate({ from: "/changes" });
  const nameOf = useNames();
  const list = useQuery(query("listChanges", { query: { limit: 100, ...filter } as never }));
  const set = (change: ChangeFilter) =>
    void navigate({ search: (old) => readChangeFilter({ ...old, cursor: undefined, ...change }), replace: true });
  const choice = (key: "tenant" | "verdict" | "standing", label: string, wordOf: (value: string) => string) => (
    <Choice
      label={label}
      value={filter[key] ?? ""}
      onChange={(event) => set({ [key]: event.target.value })}
      options={options(list.data?.facets[key], filter[key], wordOf)}
    />
  );
  return (
    <>
      <h1 className="text-2xl font-semibold">Changes</h1>
      <p className="mb-3 text-fg2">
        Every change of a credential in the directories’ own audit logs, the newest first: ours where a run had said
        that it would be, out of band where none had. What no run had done waits for an explanation.
      </p>
      <search className="mb-3 grid grid-cols-2 gap-3 md:grid-cols-6">
        {choice("verdict", "Whose doing", humanise)}
        {choice("standing", "State", (value) => standingWords[value] ?? value)}
        <TextField
          label="Application"
          type="search"
          value={filter.application ?? ""}
          onChange={(event) => set({ application: event.target.value })}
        />
        <TextField
          label="Object, credential or actor id"
          type="search"
          value={filter.q ?? ""}
          onChange={(event) => set({ q: event.target.value })}
        />
        {choice("tenant", "Tenant", (value) => value)}
        <TextField
          label="Since"
          type="date"
          value={filter.since?.slice(0, 10) ?? ""}
          onChange={({ target: { value } }) => set({ since: value === "" ? "" : `${value}T00:00:00.000Z` })}
        />
      </search>
      <Loaded of={list}>
        {(page) => (
          <Listing
            page={page}
            label="Changes"
            head={["Whose doing", "Of", "What", "By", "When", "Explanation"]}
            row={(change) => (
              <Row
                key={`${change.tenant} ${change.entry} ${change.credential ?? ""} ${change.act}`}
                change={change}
                nameOf={nameOf}
              />
            )}
            empty={<Nothing isFiltered={Object.keys(filter).length > 0} />}
            cursor={filter.cursor}
            more={(cursor) => void navigate({ search: (old) => ({ ...old, cursor }) })}
          />
        )}
      </Loaded>
    </>
  );
}

function Nothing({ isFiltered }: { readonly isFiltered: boolean }) {
  return isFiltered ? (
    <Empty title="No change fits" command="npx countersign changes">
      Change the filter.
    </Empty>
  ) : (
    <Empty title="No changes" command="npx countersign changes">
      As far as the directories’ logs were read. The reader needs the permission to read them.
    </Empty>
  );
}

const Row = memo(function Row({
  change,
  nameOf,
}: {
  readonly change: AuditChange;
  readonly nameOf: (id: string | null) => string;
}) {
  const { application, name, tenant, objectId, credential, act, kind, actor, actorKind, run, explained } = change;
  return (
    <tr>
      <Cell>
        <Badge tone={tones[change.verdict]}>{humanise(change.verdict)}</Badge>
        <div className="text-xs text-fg2">{change.sentence}</div>
      </Cell>
      <Cell>
        {application !== null ? (
          <Link to="/applications/$name" params={{ name: application }} className="font-semibold">
            {application}
          </Link>
        ) : (
          <span className="font-semibold wrap-anywhere">{name ?? objectId}</span>
        )}
        <div className="text-xs text-fg3">{tenant}</div>
      </Cell>
      <Cell>
        {humanise(kind)} {act}
        {credential !== null && (
          <div className="text-xs">
            <Link to="/credentials" search={{ q: credential }} className="font-mono underline">
              {credential}
            </Link>
          </div>
        )}
      </Cell>
      <Cell>
        {run !== null ? (
          <Link to="/runs/$id" params={{ id: run }} className="underline">
            a run
          </Link>
        ) : (
          humanise(actorKind)
        )}
        {actor !== null && <div className="font-mono text-xs text-fg3 wrap-anywhere">{actor}</div>}
      </Cell>
      <Cell>
        <Time at={change.at} />
      </Cell>
      <Cell>
        {explained !== null ? (
          <>
            <span className="wrap-anywhere">{explained.reason ?? "erased"}</span>
            <div className="text-xs text-fg3">
              {nameOf(explained.by)}, <Time at={explained.at} />
            </div>
          </>
        ) : change.verdict === "out-of-band" || change.verdict === "unknown" ? (
          <ReasonDialog
            button="Explain"
            look="primary"
            title="Say what this change was"
            text={`${humanise(kind)} ${credential ?? ""} ${act} on ${application ?? name ?? objectId}. What you say stands beside the change, with your name.`}
            confirm="Explain"
            act={(reason) => api.explainChange({ body: { tenant, entry: change.entry, credential, act, reason } })}
          />
        ) : (
          "–"
        )}
      </Cell>
    </tr>
  );
});
