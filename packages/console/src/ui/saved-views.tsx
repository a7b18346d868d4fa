import { useRouter, useRouterState } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { Button } from "./button.tsx";
import { TextField } from "./field.tsx";

interface View {
  readonly name: string;
  /** The filter as it stands in the address. */
  readonly search: string;
}

const viewsMax = 20;
const nameCharsMax = 40;
/** Where on a page one is, which is no part of a view. */
const place = "cursor";

/** Views of one list, as this browser remembers them; what somebody else wrote there counts as none. */
function readViews(path: string): readonly View[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(`views:${path}`) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isView).slice(0, viewsMax) : [];
  } catch {
    return [];
  }
}

function isView(value: unknown): value is View {
  const { name, search } = (value ?? {}) as { readonly name?: unknown; readonly search?: unknown };
  return typeof name === "string" && typeof search === "string";
}

/** A filter without the place in its list, in one order, so that the same view is one view. */
function viewOf(search: string): string {
  const params = new URLSearchParams(search);
  params.delete(place);
  params.sort();
  return params.toString();
}

/** Filters of a list under names of one's own; the address stays what one sends to others. */
export function SavedViews() {
  const router = useRouter();
  const { pathname, searchStr } = useRouterState({ select: ({ location }) => location });
  const [views, setViews] = useState(() => readViews(pathname));
  const [name, setName] = useState<string | null>(null);
  const now = viewOf(searchStr);
  const isKept = views.some(({ search }) => search === now);
  const keep = (next: readonly View[]) => {
    localStorage.setItem(`views:${pathname}`, JSON.stringify(next));
    setViews(next);
  };
  const save = (event: FormEvent) => {
    event.preventDefault();
    const wanted = (name ?? "").trim();
    if (wanted === "") return;
    keep([...views.filter((view) => view.name !== wanted), { name: wanted, search: now }].slice(-viewsMax));
    setName(null);
  };
  if (views.length === 0 && now === "") return null;
  return (
    <nav aria-label="Saved views" className="mb-3 flex flex-wrap items-end gap-x-4 gap-y-1 text-xs">
      {views.map((view) => (
        <span key={view.name} className="inline-flex min-h-8 items-center gap-1">
          <a
            href={`${pathname}?${view.search}`}
            aria-current={view.search === now ? "true" : undefined}
            className={view.search === now ? "font-semibold" : ""}
            onClick={(event) => {
              event.preventDefault();
              router.history.push(`${pathname}?${view.search}`);
            }}
          >
            {view.name}
          </a>
          <button
            type="button"
            aria-label={`Forget the view ${view.name}`}
            className="min-h-6 min-w-6 rounded text-fg3 hover:bg-bg3"
            onClick={() => keep(views.filter((other) => other.name !== view.name))}
          >
            ×
          </button>
        </span>
      ))}
      {now !== "" && !isKept && name === null && <Button onClick={() => setName("")}>Save this view</Button>}
      {name !== null && (
        <form className="flex items-end gap-2" onSubmit={save}>
          <TextField
            label="Name of the view"
            autoFocus
            maxLength={nameCharsMax}
            value={name}
            onChange={(event) => setName(event.target.value)}
          />
          <Button type="submit">Save</Button>
          <Button look="subtle" onClick={() => setName(null)}>
            Cancel
          </Button>
        </form>
      )}
    </nav>
  );
}
