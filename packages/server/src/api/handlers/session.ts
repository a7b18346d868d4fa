import { CountersignError } from "@countersign/core";
import { cookieName } from "../../signin/cookie.ts";
import type { Handler } from "../handler.ts";
import type { KnownPerson } from "../ports.ts";
import { iso } from "../views/time.ts";

/** A person as others may see him. */
export function personView({ person, name, roles }: KnownPerson) {
  return { person, name, roles: [...roles] };
}

export const signIn: Handler<"signIn"> = async ({ api, body, caller, reply }) => {
  const id = api.local?.check(body.login, body.password) ?? null;
  const person = api.people.find((candidate) => candidate.person === id);
  if (person === undefined)
    throw new CountersignError("NOT_SIGNED_IN", "expected a known login with its password, got another");
  // Whatever session the client brought along ends here: an id planted before the sign-in is worth nothing after it.
  if (caller.presented !== null) await api.sessions.close(caller.presented.id);
  const session = await api.sessions.open(person.person);
  const { url } = api.installation;
  if (body.kind === "cookie") {
    reply.setCookie(cookieName(url), session.id, {
      httpOnly: true,
      sameSite: "strict",
      secure: url.startsWith("https:"),
      path: "/",
      expires: new Date(session.expiresAt),
    });
  }
  return {
    person: personView(person),
    expiresAt: iso(session.expiresAt),
    token: body.kind === "bearer" ? session.id : null,
  };
};

export const getSession: Handler<"getSession"> = async ({ api, caller }) => {
  const { profile, clock, separation, build, origin } = api.installation;
  return {
    installation: { profile, clock, separation, build, origin },
    person: caller.person === null ? null : personView(caller.person),
    expiresAt: iso(caller.expiresAt),
    accounts:
      profile === "demo" && api.local !== null
        ? api.people.map(({ sub, name, roles }) => ({ login: sub, name, roles: [...roles] }))
        : [],
  };
};

export const signOut: Handler<"signOut"> = async ({ api, caller, reply }) => {
  if (caller.presented !== null) await api.sessions.close(caller.presented.id);
  reply.clearCookie(cookieName(api.installation.url), { path: "/" });
  return null;
};

export const listPeople: Handler<"listPeople"> = async ({ api }) => ({ items: api.people.map(personView) });
