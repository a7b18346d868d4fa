import { PeriodSummary, Problem, ProblemError, pathOf } from "@countersign/contract";
import { useMutation } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { digestOf } from "../text/digest.ts";
import { humanise } from "../text/words.ts";
import { storedFile } from "../text/zip.ts";
import { Badge } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Card, Command, Empty, Facts } from "../ui/card.tsx";
import { Digest } from "../ui/digest.tsx";
import { TextField } from "../ui/field.tsx";
import { useNow } from "../ui/now.tsx";
import { filterReader } from "../ui/pager.tsx";
import { ProblemBox } from "../ui/problem.tsx";
import { Cell, Table } from "../ui/table.tsx";
import { Time } from "../ui/time.tsx";

const keys = ["from", "to", "seed", "size"] as const;
export const readPeriod = filterReader(keys);
type Period = ReturnType<typeof readPeriod>;

const dayMs = 86_400_000;
/** What is asked for where the address says nothing: a quarter. */
const periodDays = 90;
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

interface Exported {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
  /** As the file itself says. */
  readonly says: PeriodSummary;
}

/** Everything of a period as a file that proves itself: what is asked for, and what the file says that came. */
export function PeriodPage() {
  const search = useSearch({ from: "/shell/period" });
  const navigate = useNavigate({ from: "/period" });
  // A day later than it ended, so that late entries of the directories have been read.
  const until = Math.floor(useNow() / dayMs) * dayMs - dayMs;
  const wish = { from: dayOf(until - periodDays * dayMs), to: dayOf(until), size: "25", ...search };
  const made = useMutation({ mutationFn: exported });
  const set = (change: Period) => void navigate({ search: (old) => readPeriod({ ...old, ...change }), replace: true });
  const field = (key: (typeof keys)[number], label: string, type: string) => (
    <TextField
      label={label}
      type={type}
      required={key === "from" || key === "to"}
      value={wish[key] ?? ""}
      onChange={({ target: { value } }) => set({ [key]: value })}
    />
  );
  return (
    <>
      <h1 className="text-2xl font-semibold">Whole period</h1>
      <p className="mb-3 text-fg2">
        Every credential change and every run of a period in one file that proves that none is missing, with the sample
        that your seed draws. That it was given to you becomes an entry of the log.
      </p>
      <form
        aria-label="Period"
        className="mb-1 grid grid-cols-2 items-end gap-3 md:grid-cols-5"
        onSubmit={(event) => {
          event.preventDefault();
          made.mutate(wish);
        }}
      >
        {field("from", "From (UTC, included)", "date")}
        {field("to", "Until (UTC, not included)", "date")}
        {field("seed", "Your own seed", "text")}
        {field("size", "Sample of each list", "number")}
        <Button look="primary" type="submit" disabled={made.isPending}>
          Make the file
        </Button>
      </form>
      <p className="mb-3 text-xs text-fg3">
        Without a seed no sample is drawn. One file holds at most 100,000 changes and 64 MiB; the log since the period
        began is part of it, so ask for a period soon after it has ended.
      </p>
      {made.isPending ? (
        <p role="status" className="px-1 py-6 text-fg2">
          The list is made, written into the log and signed…
        </p>
      ) : made.isError ? (
        <ProblemBox error={made.error} retry={() => made.mutate(wish)} />
      ) : made.data === undefined ? (
        <Empty title="No file made yet" command={commandFor(wish)}>
          Choose the period, and a seed that you tell nobody before it has ended.
        </Empty>
      ) : (
        <Result of={made.data} />
      )}
    </>
  );
}

function commandFor({ from, to, seed, size }: Period): string {
  const sample = seed === undefined ? "" : ` --sample ${size} --seed ${seed}`;
  return `npx countersign population export --from ${from} --to ${to} --out period.zip${sample}`;
}

async function exported({ from = "", to = "", seed, size }: Period): Promise<Exported> {
  const answer = await fetch(pathOf("exportPopulation"), {
    method: "POST",
    headers: { "x-countersign": "1", "content-type": "application/json" },
    body: JSON.stringify({
      from: `${from}T00:00:00.000Z`,
      to: `${to}T00:00:00.000Z`,
      sample: seed === undefined ? null : { seed, size: Number(size) },
    }),
  });
  if (!answer.ok) throw new ProblemError(Problem.parse(await answer.json()));
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const list = storedFile(bytes, "population.json");
  if (list === null) throw new Error("expected population.json in the file, got none");
  const says = PeriodSummary.parse(JSON.parse(new TextDecoder().decode(list)));
  return { name: `${from}-${to}.zip`, bytes, digest: await digestOf(bytes), says };
}

/** What came: read from the file that is downloaded, not from the server beside it. */
function Result({ of: { name, bytes, digest, says } }: { readonly of: Exported }) {
  const { counts, gaps, log, sample, tenants } = says;
  return (
    <div className="grid gap-4">
      <div className="grid items-start gap-4 lg:grid-cols-2">
        <Card title="What the file says">
          <Facts
            items={[
              ["From", <Time key="from" at={says.from} />],
              ["Until before", <Time key="to" at={says.to} />],
              [
                "Changes",
                `${counts.changes}: ${counts.ours} ours, ${counts.breakGlass} break-glass, ${counts.outOfBand} out of band (${counts.explained} explained), ${counts.unknown} not known`,
              ],
              ["Runs", String(counts.runs)],
              ["Made", <Time key="at" at={says.at} seconds />],
              ["From the log", `entries ${log.start} to ${log.size - 1} of ${log.origin}`],
              [
                "Sample",
                sample === null
                  ? "none: no seed was given"
                  : `${sample.changes.length} changes and ${sample.runs.length} runs, drawn by the seed ${sample.seed}`,
              ],
              [
                "Gaps",
                gaps.length === 0 ? (
                  <Badge key="gaps" tone="good">
                    none: the whole period was read
                  </Badge>
                ) : (
                  <Badge key="gaps" tone="bad">
                    {gaps.length}: nothing can be concluded there
                  </Badge>
                ),
              ],
            ]}
          />
        </Card>
        <Card title="The file" aside={`${Math.ceil(bytes.length / 1_024)} KB`}>
          <Download name={name} bytes={bytes} />
          <p className="mt-3">
            <Digest of={digest} />
          </p>
          <h3 className="mt-3 mb-1 font-semibold">Verify it yourself, offline</h3>
          <Command text={`npx countersign verify ${name} --trust trust.json`} />
          <p className="mt-2 text-fg2">
            What stands here is what the file says; only the verifier shows that it is so. The trust file comes from the
            executor’s host or from who gave it to you, never from here.
          </p>
        </Card>
      </div>
      <section>
        <h2 className="mb-1.5 text-lg font-semibold">What the directories were asked</h2>
        {tenants.length === 0 ? (
          <Empty title="No tenant">The configuration names no tenant, so the list holds runs only.</Empty>
        ) : (
          <Table label="Tenants" head={["Tenant", "Query", "Looks", "Days without one", "Unreadable", "Late"]}>
            {tenants.map((tenant) => (
              <tr key={tenant.name}>
                <Cell>{tenant.name}</Cell>
                <Cell mono>
                  {tenant.queries.map((query) => (
                    <div key={query} className="wrap-anywhere">
                      {query}
                    </div>
                  ))}
                </Cell>
                <Cell>{tenant.reads}</Cell>
                <Cell>{tenant.daysWithout.length === 0 ? "none" : tenant.daysWithout.join(", ")}</Cell>
                <Cell>{tenant.unreadable}</Cell>
                <Cell>{tenant.late}</Cell>
              </tr>
            ))}
          </Table>
        )}
      </section>
      {gaps.length > 0 && (
        <section>
          <h2 className="mb-1.5 text-lg font-semibold">Gaps</h2>
          <Table label="Gaps" head={["Tenant", "From", "To", "Why"]}>
            {gaps.map((gap) => (
              <tr key={`${gap.tenant} ${gap.from} ${gap.why}`}>
                <Cell>{gap.tenant}</Cell>
                <Cell>
                  <Time at={gap.from} seconds />
                </Cell>
                <Cell>
                  <Time at={gap.to} seconds />
                </Cell>
                <Cell>{gapWords[gap.why] ?? humanise(gap.why)}</Cell>
              </tr>
            ))}
          </Table>
        </section>
      )}
    </div>
  );
}

const gapWords: Readonly<Record<string, string>> = {
  "not-read": "No look that was written down covers it.",
  lost: "Not read, and the directory has it no more.",
  "not-settled": "Read so soon that entries may have come later. Make the file again a day later.",
  ahead: "It had not happened yet.",
};

function Download({ name, bytes }: Pick<Exported, "name" | "bytes">) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([bytes], { type: "application/zip" }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [bytes]);
  return (
    <a
      href={url}
      download={name}
      className="inline-flex min-h-9 items-center rounded bg-brand px-4 font-semibold text-on-brand no-underline hover:bg-brand-hover"
    >
      Download {name}
    </a>
  );
}
