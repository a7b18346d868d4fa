import type { ConsolePage } from "@countersign/contract";
import { createRootRoute, createRoute, createRouter, type ErrorComponentProps, Outlet } from "@tanstack/react-router";
import { isSignedOut } from "./api/client.ts";
import { ApplicationPage } from "./pages/application.tsx";
import { ApplicationsPage, readApplicationFilter } from "./pages/applications.tsx";
import { ChangesPage, readChangeFilter } from "./pages/changes.tsx";
import { FindingsPage, readFindingFilter } from "./pages/findings.tsx";
import { InventoryPage, readInventoryFilter } from "./pages/inventory.tsx";
import { LedgerPage, readLedgerFilter } from "./pages/ledger.tsx";
import { LogPage } from "./pages/log.tsx";
import { OutsidePage } from "./pages/outside.tsx";
import { OverviewPage } from "./pages/overview.tsx";
import { PeriodPage, readPeriod } from "./pages/period.tsx";
import { RunPage } from "./pages/run/run.tsx";
import { RunsPage } from "./pages/runs.tsx";
import { SignInPage } from "./pages/sign-in.tsx";
import { Shell } from "./shell/shell.tsx";
import { Empty } from "./ui/card.tsx";
import { ProblemBox } from "./ui/problem.tsx";

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

/** A page failed: signed out goes to the sign-in, anything else says what happened. */
function Failed({ error, reset }: ErrorComponentProps) {
  if (isSignedOut(error)) {
    window.location.assign(`/sign-in?next=${encodeURIComponent(window.location.pathname + window.location.search)}`);
    return null;
  }
  return <ProblemBox error={error} retry={reset} />;
}

/** No page has this address: a link was cut short, or is of another version. Stands where a page would, so that there is a way on. */
function NoSuchPage() {
  return (
    <Empty title="There is no page at this address">
      A link may have been cut short. What waits for you stands on the overview.
    </Empty>
  );
}

const root = createRootRoute({ component: Outlet, errorComponent: Failed });
const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  component: SignInPage,
  validateSearch: (search): { next?: string } =>
    text(search.next) === undefined ? {} : { next: text(search.next) as string },
});
const shell = createRoute({ getParentRoute: () => root, id: "shell", component: Shell, errorComponent: Failed });
const page = <P extends string, C extends () => React.ReactNode>(path: P, component: C) =>
  createRoute({ getParentRoute: () => shell, path, component, errorComponent: Failed });

const applications = createRoute({
  getParentRoute: () => shell,
  path: "/applications",
  component: ApplicationsPage,
  errorComponent: Failed,
  validateSearch: readApplicationFilter,
});
const inventory = createRoute({
  getParentRoute: () => shell,
  path: "/inventory",
  component: InventoryPage,
  errorComponent: Failed,
  validateSearch: readInventoryFilter,
});
const credentials = createRoute({
  getParentRoute: () => shell,
  path: "/credentials",
  component: LedgerPage,
  errorComponent: Failed,
  validateSearch: readLedgerFilter,
});
const findings = createRoute({
  getParentRoute: () => shell,
  path: "/findings",
  component: FindingsPage,
  errorComponent: Failed,
  validateSearch: readFindingFilter,
});
const changes = createRoute({
  getParentRoute: () => shell,
  path: "/changes",
  component: ChangesPage,
  errorComponent: Failed,
  validateSearch: readChangeFilter,
});
const period = createRoute({
  getParentRoute: () => shell,
  path: "/period",
  component: PeriodPage,
  errorComponent: Failed,
  validateSearch: readPeriod,
});
const runs = createRoute({
  getParentRoute: () => shell,
  path: "/runs",
  component: RunsPage,
  errorComponent: Failed,
  validateSearch: (search): { state?: string; row?: string; cursor?: string } =>
    Object.fromEntries(
      ["state", "row", "cursor"].flatMap((key) => (text(search[key]) === undefined ? [] : [[key, text(search[key])]])),
    ),
});
const run = createRoute({
  getParentRoute: () => shell,
  path: "/runs/$id",
  component: RunPage,
  errorComponent: Failed,
  validateSearch: (search): { view?: string } =>
    text(search.view) === undefined ? {} : { view: text(search.view) as string },
});

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    shell.addChildren([
      page("/", OverviewPage),
      applications,
      page("/applications/$name", ApplicationPage),
      inventory,
      credentials,
      runs,
      run,
      findings,
      changes,
      page("/outside", OutsidePage),
      period,
      page("/log", LogPage),
      page("$", NoSuchPage),
    ]),
  ]),
  defaultPreload: false,
  scrollRestoration: true,
});

/** The router knows the pages that the server answers at, and no others. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : never) : never;
true satisfies Same<Exclude<keyof (typeof router)["routesByPath"], "/$">, ConsolePage>;

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
