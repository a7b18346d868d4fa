import type { Answer, ComparedRow, InventoryStanding, Matter } from "@countersign/contract";
import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { memo, type ReactNode } from "react";
import { query } from "../api/queries.ts";
import type { Tone } from "../text/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Card, Command, Empty, Facts } from "../ui/card.tsx";
import { Choice, TextField } from "../ui/field.tsx";
import { Listing } from "../ui/listing.tsx";
import { filterReader, options } from "../ui/pager.tsx";
import { Loaded } from "../ui/problem.tsx";
import { SavedViews } from "../ui/saved-views.tsx";
import { Cell } from "../ui/table.tsx";
import { Time } from "../ui/time.tsx";
import { FoundUses } from "./found-uses.tsx";

type Answered = Answer<"getInventory">;

const keys = ["q", "matter", "environment", "tenant", "cursor"] as const;
export const readInventoryFilter = filterReader(keys);

const matterWords: Readonly<Record<Matter, { readonly word: string; readonly tone: Tone }>> = {
  gone: { word: "Gone", tone: "bad" },
  "other-application": { word: "Another application", tone: "bad" },
  "not-owned": { word: "Writer is no owner", tone: "bad" },
  "not-declared": { word: "Use not declared", tone: "warn" },
  "owners-not-read": { word: "Owners not read", tone: "neutral" },
  "not-looked": { word: "Not looked at yet", tone: "neutral" },
};
const matterChoices: Readonly<Record<string, string>> = {
  any: "Something to do",
  none: "Agrees",
  ...Object.fromEntries(Object.entries(matterWords).map(([matter, { word }]) => [matter, word])),
};

/** What the inventory lists beside what the ledger shows: what is not so, what cannot be rotated, and who uses it unseen. */
export function InventoryPage() {
  const filter = useSearch({ from: "/shell/inventory" });
  const navigate = useNavigate({ from: "/inventory" });
  const answer = useQuery(query("getInventory", { query: { limit: 50, ...filter } as never }));
  const set = (change: ReturnType<typeof readInventoryFilter>) =>
    void navigate({ search: (old) => readInventoryFilter({ ...old, cursor: undefined, ...change }), replace: true });
  const choice = (key: "matter" | "environment" | "tenant", label: string, wordOf = (value: string) => value) => (
    <Choice
      label={label}
      value={filter[key] ?? ""}
      onChange={(event) => set({ [key]: event.target.value })}
      options={options(answer.data?.facets[key], filter[key], wordOf)}
    />
  );
  const isFiltered = Object.keys(filter).length > 0;
  return (
    <>
      <h1 className="text-2xl font-semibold">Inventory</h1>
      <p className="mb-3 text-fg2">
        What is listed beside what the directory, its sign-ins and the vaults show. Only what is listed is ever touched,
        and of that only what the writer owns.
      </p>
      <Loaded of={answer}>{(data) => <Standings answer={data} />}</Loaded>
      <search className="mb-3 grid grid-cols-2 gap-3 md:grid-cols-4">
        <TextField
          label="Search name or id"
          type="search"
          value={filter.q ?? ""}
          onChange={(event) => set({ q: event.target.value })}
        />
        {choice("matter", "Matter", (value) => matterChoices[value] ?? value)}
        {choice("environment", "Environment")}
        {choice("tenant", "Tenant")}
      </search>
      <SavedViews />
      <Loaded of={answer}>
        {(page) => (
          <Listing
            page={page}
            label="Inventory"
            head={["Application", "Matter", "What to do"]}
            row={(row) => <Row key={row.application} row={row} />}
            empty={<Nothing isFiltered={isFiltered} />}
            cursor={filter.cursor}
            more={(cursor) => void navigate({ search: (old) => ({ ...old, cursor }) })}
          />
        )}
      </Loaded>
    </>
  );
}

/** What of each tenant the page rests on, and what is not known. */
function Standings({ answer }: { readonly answer: Answered }) {
  const { standings, vaults, elsewhere } = answer;
  return (
    <div className="mb-3 grid gap-3 lg:grid-cols-2">
      {standings.map((standing) => (
        <Standing key={standing.tenant} standing={standing} />
      ))}
      <Card title="Beside the directories">
        <Facts
          items={[
            ["Listed, in no directory", `${elsewhere} (roles of databases)`],
            [
              "Vault entries",
              vaults.length === 0 ? (
                "not looked at yet: the executor does, once a day, where a tenant was listed"
              ) : (
                <ul>
                  {vaults.map(({ connection, readAt, refused }) => (
                    <li key={connection}>
                      {connection}:{" "}
                      {refused ? "may not be listed, nothing is concluded from it" : <>looked at {at(readAt)}</>}
                    </li>
                  ))}
                </ul>
              ),
            ],
          ]}
        />
      </Card>
    </div>
  );
}

function Standing({ standing }: { readonly standing: InventoryStanding }) {
  const { tenant, writer, listed, owned, unlisted, listedAt, ownersReadAt, callers } = standing;
  return (
    <Card title={tenant} aside={<>listed {at(listedAt)}</>}>
      <Facts
        items={[
          [
            "The writer owns",
            <>
              <b>{owned}</b> of {listed} listed
            </>,
          ],
          [
            "Not listed",
            <Link to="/findings" search={{ code: "unmanaged", tenant }} className="underline">
              {unlisted} with live credentials
            </Link>,
          ],
          ["Owners", <>read {at(ownersReadAt)}</>],
          [
            "Sign-ins",
            callers.refused ? (
              "the directory does not give them (AuditLog.Read.All, P1 or P2): no caller is known"
            ) : (
              <>read {at(callers.readAt)}</>
            ),
          ],
        ]}
      />
      {writer.servicePrincipal === null && listedAt !== null && (
        <div className="mt-2">
          <p className="text-bad-fg">The writer has no service principal in this tenant, so that it can own nothing:</p>
          <Command text={`az ad sp create --id ${writer.clientId}`} />
        </div>
      )}
    </Card>
  );
}

const at = (time: string | null): ReactNode => (time === null ? "not yet" : <Time at={time} />);

const Row = memo(function Row({ row }: { readonly row: ComparedRow }) {
  const { application, name, tenant, environment, objectId, matters } = row;
  return (
    <tr className="align-top">
      <Cell>
        <Link to="/applications/$name" params={{ name: application }} className="font-semibold">
          {application}
        </Link>
        <div className="text-xs text-fg3 wrap-anywhere">
          {[tenant, environment, name].filter((part) => part !== null).join(" · ")}{" "}
          <Link to="/credentials" search={{ q: objectId }} className="font-mono underline">
            {objectId}
          </Link>
        </div>
      </Cell>
      <Cell>
        <span className="flex flex-wrap gap-1">
          {matters.length === 0 ? (
            <Badge tone="good">Agrees</Badge>
          ) : (
            matters.map((matter) => (
              <Badge key={matter} tone={matterWords[matter].tone}>
                {matterWords[matter].word}
              </Badge>
            ))
          )}
        </span>
      </Cell>
      <Cell>
        <div className="grid gap-2">
          {matters.map((matter) => (
            <ToDo key={matter} matter={matter} row={row} />
          ))}
        </div>
      </Cell>
    </tr>
  );
});

function ToDo({ matter, row }: { readonly matter: Matter; readonly row: ComparedRow }) {
  switch (matter) {
    case "gone":
      return (
        <p>
          The directory has no such application
          {row.goneAt !== null && (
            <>
              {" "}
              since <Time at={row.goneAt} />
            </>
          )}
          . Take the row out of the inventory, or find out who removed it.
        </p>
      );
    case "other-application":
      return (
        <p>
          Under this object id the directory has <code className="font-mono text-xs">{row.otherAppId}</code>, the row
          says <code className="font-mono text-xs">{row.appId}</code>. Find out which is meant: nothing is done for it.
        </p>
      );
    case "not-owned":
      return (
        <div>
          <p>
            Nothing of ours can change its secrets, as of {at(row.ownersReadAt)}.{" "}
            {row.grant === null
              ? "The writer has no service principal yet."
              : "An administrator makes the writer an owner:"}
          </p>
          {row.grant !== null && <Command text={row.grant.command} />}
        </div>
      );
    case "not-declared":
      return (
        <div>
          <p>
            Found, and in no consumer of the row. Declare each, corrected where the line guesses, and accept the
            inventory:
          </p>
          <FoundUses found={row.found} />
        </div>
      );
    case "owners-not-read":
      return <p>Who owns it was not read yet: nothing is concluded until the next scan has.</p>;
    case "not-looked":
      return <p>Its tenant was not listed yet: start with “Scan now” on the overview.</p>;
  }
}

function Nothing({ isFiltered }: { readonly isFiltered: boolean }) {
  return isFiltered ? (
    <Empty title="No row fits" command="npx countersign inventory check">
      Change the filter. The command compares the inventory with the directory as it is at this moment.
    </Empty>
  ) : (
    <Empty title="The inventory lists no application of a directory" command="npx countersign inventory draft">
      The command proposes a row for each application that has a client secret. What is not listed is never touched.
    </Empty>
  );
}
