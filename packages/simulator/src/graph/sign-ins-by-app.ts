import type { SignIn } from "../tenant/model.ts";

/** Sign-ins by application, and how far the log was read for it. */
interface Sorted {
  readonly byApp: Map<string, SignIn[]>;
  read: number;
}

const sorted = new WeakMap<readonly SignIn[], Sorted>();

/** What signed in as one application, in order: the log only grows, and nearly every question is about one of thousands. */
export function signInsOf(all: readonly SignIn[], appId: string): readonly SignIn[] {
  const known = sorted.get(all) ?? { byApp: new Map<string, SignIn[]>(), read: 0 };
  sorted.set(all, known);
  for (const signIn of all.slice(known.read)) {
    const own = known.byApp.get(signIn.appId);
    if (own === undefined) known.byApp.set(signIn.appId, [signIn]);
    else own.push(signIn);
  }
  known.read = all.length;
  return known.byApp.get(appId) ?? [];
}
