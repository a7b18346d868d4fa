import type { Answer, Call, RouteName } from "@countersign/contract";
import { keepPreviousData, QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { api, isSignedOut } from "./client.ts";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (count, error) => count < 2 && !(error instanceof Error && error.name === "ProblemError"),
      throwOnError: (error) => isSignedOut(error),
    },
  },
});

/** A route as a query: its name and input are the key, so that live events can say what became stale. */
export function query<N extends RouteName>(name: N, call: Call<N>) {
  return queryOptions({
    queryKey: [name, call],
    queryFn: ({ signal }) => (api[name] as (call: unknown) => Promise<Answer<N>>)({ ...call, signal }),
    placeholderData: keepPreviousData,
  });
}

export const useStatus = () => useQuery({ ...query("getStatus", {}), refetchInterval: 30_000 });
export const useSession = () => useQuery({ ...query("getSession", {}), staleTime: 60_000 });

/** What parts of the product that ask by themselves are called. */
const services: Readonly<Record<string, string>> = {
  "system:scanner": "the scheduled scan",
  "system:audit": "the directory’s log",
};

/** Names for opaque person ids; an id stays an id when nobody knows it. */
export function useNames(): (id: string | null) => string {
  const people = useQuery({ ...query("listPeople", {}), staleTime: 300_000 }).data?.items ?? [];
  return (id) => {
    if (id === null) return "nobody";
    if (id.startsWith("system:")) return services[id] ?? id.slice("system:".length);
    return people.find((person) => person.person === id)?.name ?? id;
  };
}
