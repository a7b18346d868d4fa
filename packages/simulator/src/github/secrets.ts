import { z } from "zod";
import type { Outcome } from "../http/exchange.ts";
import type { World } from "../world.ts";
import { parse, seconds } from "./access.ts";
import { boxOf, openSealed } from "./box.ts";
import { refuseGithub } from "./errors.ts";
import type { ActionsSecret, GithubHost, GithubOrganization, GithubRepository, SecretHolder } from "./model.ts";

const VALUE_BYTES_MAX = 48 * 1024;
const sealed = {
  encrypted_value: z.string().regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/),
  key_id: z.string(),
};
const Wish = z.strictObject(sealed);
const OrganizationWish = z.strictObject({
  ...sealed,
  visibility: z.enum(["all", "private", "selected"]),
  selected_repository_ids: z.array(z.union([z.int(), z.string()])).optional(),
});

/** GET public-key. */
export function publicKey(world: World, holder: SecretHolder): Outcome {
  const box = boxOf(holder, world.random("github-box"));
  return { reply: { status: 200, body: { key_id: box.keyId, key: box.publicKey } }, effect: false };
}

/** GET a secret: when it was written, never what. */
export function getSecret(base: string, holder: SecretHolder, name: string): Outcome {
  const found = holder.secrets[name.toUpperCase()];
  if (found === undefined) return refuseGithub(404, "Not Found");
  const body = {
    name: name.toUpperCase(),
    created_at: seconds(found.createdMs),
    updated_at: seconds(found.updatedMs),
    ...("login" in holder
      ? {
          visibility: found.visibility,
          ...(found.visibility === "selected"
            ? { selected_repositories_url: `${base}/orgs/${String(holder.login)}/actions/secrets/${name}/repositories` }
            : {}),
        }
      : {}),
  };
  return { reply: { status: 200, body }, effect: false };
}

/** PUT a secret: the sealed value is opened with the holder's key. Who may use an organization's one is what is sent along. */
export function putSecret(world: World, holder: SecretHolder, name: string, text: string): Outcome {
  const wish = ("login" in holder ? OrganizationWish : Wish).safeParse(parse(text));
  if (!wish.success || !/^(?!GITHUB_)[A-Z_][A-Z0-9_]*$/i.test(name)) return refuseGithub(422, "Validation Failed");
  const box = boxOf(holder, world.random("github-box"));
  if (wish.data.key_id !== box.keyId) return refuseGithub(422, "Bad Request: key_id is not the present one");
  const value = openSealed(wish.data.encrypted_value, box);
  if (value === null || Buffer.byteLength(value) > VALUE_BYTES_MAX)
    return refuseGithub(422, "Improperly encrypted secret");
  const key = name.toUpperCase();
  const before = holder.secrets[key];
  const asked = wish.data as Partial<z.output<typeof OrganizationWish>>;
  holder.secrets[key] = {
    value,
    createdMs: before?.createdMs ?? world.clock.nowMs,
    updatedMs: world.clock.nowMs,
    visibility: asked.visibility ?? "all",
    selected: (asked.selected_repository_ids ?? []).map(Number),
  };
  const created = before === undefined;
  return { reply: created ? { status: 201, body: {} } : { status: 204 }, effect: true, target: { created } };
}

/** GET the repositories that an organization's secret is for, page by page. */
export function listSelected(
  host: GithubHost,
  organization: GithubOrganization,
  name: string,
  query: URLSearchParams,
  base: string,
): Outcome {
  const found = organization.secrets[name.toUpperCase()];
  if (found === undefined) return refuseGithub(404, "Not Found");
  const perPage = Math.min(100, Number(query.get("per_page") ?? 30));
  const page = Number(query.get("page") ?? 1);
  const all = host.repositories.filter(({ id }) => found.selected.includes(id));
  const shown = all.slice((page - 1) * perPage, page * perPage).map((item) => minimalRepository(base, item));
  return { reply: { status: 200, body: { total_count: all.length, repositories: shown } }, effect: false };
}

/** What a workflow of the repository gets: the environment's secret, else the repository's, else the organization's. */
export function secretInWorkflow(
  host: GithubHost,
  repository: GithubRepository,
  environment: string | null,
  name: string,
): string | null {
  const inside = repository.environments.find((item) => item.name === environment);
  const organization = host.organizations.find((item) => item.login.toLowerCase() === repository.owner.toLowerCase());
  const shared = organization?.secrets[name];
  const found =
    inside?.secrets[name] ??
    repository.secrets[name] ??
    (shared !== undefined && isFor(shared, repository) ? shared : undefined);
  return found?.value ?? null;
}

function isFor(secret: ActionsSecret, repository: GithubRepository): boolean {
  if (secret.visibility === "selected") return secret.selected.includes(repository.id);
  return secret.visibility === "all" || repository.private;
}

const LINKS =
  "archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads events forks git_commits git_refs git_tags hooks issue_comment issue_events issues keys labels languages merges milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees";
const OWNER_LINKS = "followers following gists organizations received_events repos starred subscriptions events";

/** A repository as lists show it, with every member that the description asks for. */
export function minimalRepository(base: string, item: GithubRepository): Record<string, unknown> {
  const url = `${base}/repos/${item.owner}/${item.name}`;
  const links = (names: string, of: string) =>
    Object.fromEntries(names.split(" ").map((link) => [`${link}_url`, `${of}/${link}`]));
  const owner = `${base}/users/${item.owner}`;
  return {
    ...links(LINKS, url),
    id: item.id,
    node_id: `R_${item.id}`,
    name: item.name,
    full_name: `${item.owner}/${item.name}`,
    private: item.private,
    fork: false,
    description: null,
    url,
    html_url: url,
    owner: {
      ...links(OWNER_LINKS, owner),
      login: item.owner,
      id: 1,
      node_id: "U_1",
      avatar_url: owner,
      gravatar_id: "",
      html_url: owner,
      url: owner,
      type: "Organization",
      site_admin: false,
    },
  };
}
