import { useMutation } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { api } from "../api/client.ts";
import { queryClient, useSession } from "../api/queries.ts";
import { Banner } from "../shell/banner.tsx";
import { roleWords } from "../text/words.ts";
import { Button } from "../ui/button.tsx";
import { TextField } from "../ui/field.tsx";
import { Loaded, ProblemBox } from "../ui/problem.tsx";

/** Where to go after signing in: a path of ours and nothing else. */
function safeNext(next: string | undefined): string {
  return next?.startsWith("/") && !next.startsWith("/sign-in") && !next.startsWith("//") && !next.includes("\\")
    ? next
    : "/";
}

export function SignInPage() {
  const session = useSession();
  return <Loaded of={session}>{(data) => <SignInForm session={data} />}</Loaded>;
}

function SignInForm({ session }: { readonly session: NonNullable<ReturnType<typeof useSession>["data"]> }) {
  const { next } = useSearch({ from: "/sign-in" });
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => api.signIn({ body: { login, password, kind: "cookie" } }),
    onSuccess: () => {
      queryClient.clear();
      window.location.assign(safeNext(next));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  return (
    <div className="flex min-h-screen flex-col">
      <Banner installation={session.installation} />
      <main className="grid flex-1 place-items-center p-6">
        <div className="w-full max-w-md rounded-xl border border-line2 bg-bg1 p-7 shadow-md">
          <h1 className="text-xl font-semibold">Sign in to Countersign</h1>
          <p className="mt-1 mb-5 text-fg2">Rotations of secrets: approved, crash-safe, provable.</p>
          <form onSubmit={submit} className="grid gap-3">
            <TextField
              label="Login"
              autoComplete="username"
              required
              value={login}
              onChange={(event) => setLogin(event.target.value)}
            />
            <TextField
              label="Password"
              type="password"
              autoComplete="current-password"
              required
              value={password}
              onChange={(event) => setPassword(event.target.value)}
            />
            {signIn.isError && <ProblemBox error={signIn.error} />}
            <Button type="submit" look="primary" disabled={signIn.isPending}>
              Sign in
            </Button>
          </form>
          {session.accounts.length > 0 && (
            <section aria-label="Demo accounts" className="mt-6 border-t border-line2 pt-4">
              <h2 className="font-semibold">Demo accounts</h2>
              <p className="mb-2 text-fg2">
                A rotation needs two different people. Passwords stand where the demo was started.
              </p>
              <ul className="grid gap-1">
                {session.accounts.map((account) => (
                  <li key={account.login}>
                    <button
                      type="button"
                      className="flex w-full items-baseline justify-between rounded border border-line2 px-2.5 py-1.5 text-left hover:bg-bg3"
                      onClick={() => setLogin(account.login)}
                    >
                      <span>
                        <strong>{account.login}</strong> <span className="text-fg2">{account.name}</span>
                      </span>
                      <span className="text-xs text-fg3">
                        {account.roles.map((role) => roleWords[role]).join(", ")}
                      </span>
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          )}
        </div>
      </main>
    </div>
  );
}
