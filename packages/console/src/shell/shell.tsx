import { useMutation } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { api } from "../api/client.ts";
import { useLive } from "../api/live.ts";
import { queryClient, useSession, useStatus } from "../api/queries.ts";
import { roleWords } from "../text/words.ts";
import { NowProvider } from "../ui/now.tsx";
import { Preferences } from "../ui/theme.tsx";
import { Banner } from "./banner.tsx";
import { ClockControl } from "./clock-control.tsx";
import { FreezeBar } from "./freeze-bar.tsx";

const links = [
  ["/", "Overview"],
  ["/applications", "Applications"],
  ["/inventory", "Inventory"],
  ["/credentials", "Credentials"],
  ["/runs", "Runs"],
  ["/findings", "Findings"],
  ["/changes", "Changes"],
  ["/outside", "Systems outside"],
  ["/period", "Whole period"],
  ["/log", "Evidence log"],
] as const;

/** The frame of every page behind the sign-in. */
export function Shell() {
  const session = useSession().data;
  const navigate = useNavigate();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    // The page changed: keyboard and screen reader begin at its top, not where the last one ended.
    if (path.length > 0) main.current?.focus({ preventScroll: true });
  }, [path]);
  useEffect(() => {
    const { pathname, search } = window.location;
    if (session?.person === null && pathname !== "/sign-in")
      void navigate({ to: "/sign-in", search: { next: pathname + search } });
  }, [session, navigate]);
  if (session === undefined || session.person === null) return null;
  return (
    <NowProvider>
      <a href="#main" className="sr-only bg-bg1 p-2 focus:not-sr-only focus:absolute focus:z-10">
        Skip to content
      </a>
      <div className="flex h-screen flex-col">
        <Banner installation={session.installation} />
        <div className="flex min-h-0 flex-1">
          <Sidebar />
          <div className="flex min-w-0 flex-1 flex-col overflow-y-auto">
            <FreezeBar />
            <main id="main" ref={main} tabIndex={-1} className="w-full max-w-[1400px] flex-1 px-6 py-4 outline-none">
              <Outlet />
            </main>
          </div>
        </div>
      </div>
    </NowProvider>
  );
}

function Sidebar() {
  const person = useSession().data?.person;
  const status = useStatus().data;
  const up = useLive();
  const navigate = useNavigate();
  const signOut = useMutation({
    mutationFn: () => api.signOut({}),
    onSettled: async () => {
      queryClient.clear();
      await navigate({ to: "/sign-in", search: {} });
    },
  });
  const counts: Readonly<Record<string, number | undefined>> = {
    "/runs": status?.counts.waitingForYou,
    "/findings": status?.counts.findings,
  };
  return (
    <aside className="flex w-52 shrink-0 flex-col gap-3 overflow-y-auto border-r border-line2 bg-bg1 px-3 py-4">
      <div className="flex items-center gap-2 px-1 text-base font-semibold">
        <svg viewBox="0 0 32 32" className="size-7" aria-hidden="true">
          <rect width="32" height="32" rx="7" fill="#0f6cbd" />
          <path
            d="M7 17.5l5 5L22 10"
            fill="none"
            stroke="#fff"
            strokeWidth="3"
            strokeLinecap="round"
            strokeLinejoin="round"
          />
          <path
            d="M16 22.5l1 1L27 12"
            fill="none"
            stroke="#9bc9f5"
            strokeWidth="3"
            strokeLinecap="round"
            strokeLinejoin="round"
          />
        </svg>
        Countersign
      </div>
      <nav aria-label="Main" className="grid gap-0.5">
        {links.map(([to, text]) => (
          <Link
            key={to}
            to={to}
            activeOptions={{ exact: to === "/" }}
            className="flex items-center justify-between rounded px-2 py-1.5 text-fg2 no-underline hover:bg-bg3"
            activeProps={{ className: "bg-brand-bg font-semibold text-brand-fg" }}
          >
            {text}
            {(counts[to] ?? 0) > 0 && (
              <span className="rounded-full bg-brand px-1.5 text-xs text-on-brand">{counts[to]}</span>
            )}
          </Link>
        ))}
      </nav>
      <div className="flex-1" />
      <ClockControl />
      <Preferences />
      <div className="border-t border-line2 pt-2 text-xs">
        <div className="font-semibold">{person?.name}</div>
        <div className="text-fg3">{person?.roles.map((role) => roleWords[role] ?? role).join(", ")}</div>
        <div className="mt-1 flex items-center justify-between">
          <button
            type="button"
            className="min-h-6 font-semibold text-brand-fg hover:underline"
            onClick={() => signOut.mutate()}
          >
            Sign out
          </button>
          <span role="status" className={up ? "text-good-fg" : "text-bad-fg"}>
            {up ? "● live" : "○ reconnecting"}
          </span>
        </div>
      </div>
    </aside>
  );
}
