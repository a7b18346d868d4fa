import type { Credential } from "@countersign/contract";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { memo } from "react";
import { query } from "../api/queries.ts";
import { credentialWords, expiryWords, ledgerWords } from "../text/words.ts";
import { Badge } from "../ui/badge.tsx";
import { Empty } from "../ui/card.tsx";
import { Choice, TextField } from "../ui/field.tsx";
import { Listing } from "../ui/listing.tsx";
import { filterReader, options } from "../ui/pager.tsx";
import { Loaded } from "../ui/problem.tsx";
import { SavedViews } from "../ui/saved-views.tsx";
import { Cell } from "../ui/table.tsx";
import { Time, Until } from "../ui/time.tsx";

const keys = ["q", "state", "kind", "tenant", "expiry", "managed", "cursor"] as const;
export const readLedgerFilter = filterReader(keys);

const managedWords: Readonly<Record<string, string>> = { true: "In the inventory", false: "Not in the inventory" };

/** Every credential of the directory, also of applications that nobody manages. */
export function LedgerPage() {
  const filter = useSearch({ from: "/shell/credentials" });
  const navigate = useNavigate({ from: "/credentials" });
  // The last page stays while the next one comes: the list neither jumps nor blinks.
  const list = useQuery({
    ...query("listCredentials", { query: { limit: 100, ...filter } as never }),
    placeholderData: keepPreviousData,
  });
  const set = (change: ReturnType<typeof readLedgerFilter>) =>
    void navigate({ search: (old) => readLedgerFilter({ ...old, cursor: undefined, ...change }), replace: true });
  const choice = (
    key: Exclude<(typeof keys)[number], "q" | "cursor">,
    label: string,
    words: Record<string, string>,
  ) => (
    <Choice
      label={label}
      value={filter[key] ?? ""}
      onChange={(event) => set({ [key]: event.target.value })}
      options={options(list.data?.facets[key], filter[key], (value) => words[value] ?? value)}
    />
  );
  return (
    <>
      <h1 className="text-2xl font-semibold">Credentials</h1>
      <p className="mb-3 text-fg2">
        Every secret, certificate and database role that the last scan saw, by id and never by value. What is not in the
        inventory is listed and never touched.
      </p>
      <search className="mb-3 grid grid-cols-2 gap-3 md:grid-cols-6">
        <TextField
          label="Search name or id"
          type="search"
          value={filter.q ?? ""}
          onChange={(event) => set({ q: event.target.value })}
        />
        {choice("expiry", "Expires", expiryWords)}
        {choice("state", "Ledger", ledgerTexts)}
        {choice("managed", "Inventory", managedWords)}
        {choice("kind", "Kind", credentialWords)}
        {choice("tenant", "Tenant", {})}
      </search>
      <SavedViews />
      <Loaded of={list}>
        {(page) => (
          <Listing
            page={page}
            label="Credentials"
            head={["Held by", "Expires", "Ledger", "Kind", "Credential", "Inventory"]}
            row={(credential) => <Row key={`${credential.objectId}${credential.id}`} credential={credential} />}
            empty={<Nothing isFiltered={Object.keys(filter).length > 0} />}
            cursor={filter.cursor}
            more={(cursor) => void navigate({ search: (old) => ({ ...old, cursor }) })}
          />
        )}
      </Loaded>
    </>
  );
}

const ledgerTexts: Record<string, string> = Object.fromEntries(
  Object.entries(ledgerWords).map(([state, { word }]) => [state, word]),
);

function Nothing({ isFiltered }: { readonly isFiltered: boolean }) {
  return isFiltered ? (
    <Empty title="No credential fits" command="npx countersign scan --csv">
      Change the filter. Retired credentials are shown when “Ledger” says so.
    </Empty>
  ) : (
    <Empty title="The ledger is empty" command="npx countersign scan">
      The daily scan lists every application and what signs in as it. Start it now with “Scan now” on the overview.
    </Empty>
  );
}

/** Drawn again only when it is another: a choice of a filter shows the list as it is until the next one comes. */
const Row = memo(function Row({ credential }: { readonly credential: Credential }) {
  const { word, tone } = ledgerWords[credential.state];
  return (
    <tr>
      <Cell>
        <span className="font-semibold wrap-anywhere">{credential.name === "" ? "(no name)" : credential.name}</span>
        <div className="text-xs text-fg3">
          {credential.tenant} · <span className="font-mono">{credential.appId}</span>
        </div>
      </Cell>
      <Cell>
        {credential.expiresAt === null ? (
          <span className="text-fg3">never</span>
        ) : (
          <>
            <Until at={credential.expiresAt} />
            <div className="text-xs text-fg3">
              <Time at={credential.expiresAt} />
            </div>
          </>
        )}
      </Cell>
      <Cell>
        <Badge tone={tone}>{word}</Badge>{" "}
        {credential.run !== null && (
          <Link to="/runs/$id" params={{ id: credential.run }}>
            run
          </Link>
        )}
      </Cell>
      <Cell>{credentialWords[credential.kind]}</Cell>
      <Cell mono>{credential.id}</Cell>
      <Cell>
        {credential.application === null ? (
          <span className="text-fg3">not managed</span>
        ) : (
          <Link to="/applications/$name" params={{ name: credential.application }}>
            {credential.application}
          </Link>
        )}
      </Cell>
    </tr>
  );
});
