/** A secret of GitHub Actions. Its value is kept for workloads and never answered. */
export interface ActionsSecret {
  value: string;
  createdMs: number;
  updatedMs: number;
  /** Only of an organization's secret. */
  visibility: "all" | "private" | "selected";
  selected: number[];
}

/** Something that has secrets and a key pair of its own: a repository, an environment of one, an organization. */
export interface SecretHolder {
  secrets: Record<string, ActionsSecret>;
  /** Key pair of its sealed boxes, base64; another one after a while, as with the vendor. */
  box: { keyId: string; publicKey: string; privateKey: string } | null;
}

export interface GithubRepository extends SecretHolder {
  /** Outlives a rename, and is another one when the name is taken over. */
  id: number;
  owner: string;
  name: string;
  private: boolean;
  environments: (SecretHolder & { name: string })[];
}

export interface GithubOrganization extends SecretHolder {
  id: number;
  login: string;
}

/** What a token may do: permissions of the app, and repositories by `owner/name`; `*`: all. */
export interface GithubGrant {
  permissions: Record<string, "read" | "write">;
  repositories: string[];
}

/** An app that is installed on the host's account. */
export interface GithubApp extends GithubGrant {
  clientId: string;
  installation: number;
  /** Of the app's own key pair, PEM. The private half is for whoever drives the tenant. */
  privateKey: string;
  publicKey: string;
}

/** A token that is in use: a person's own, or one that an app was given for an hour. */
export interface GithubToken extends GithubGrant {
  token: string;
  /** Who it stands for in the effect log. */
  caller: string;
  expiresMs: number | null;
}

/** GitHub, or a GitHub Enterprise Server, on a port of its own. */
export interface GithubHost {
  name: string;
  port: number;
  organizations: GithubOrganization[];
  repositories: GithubRepository[];
  apps: GithubApp[];
  tokens: GithubToken[];
  /** Requests per hour and caller. */
  requestsPerHourMax: number;
  /** Requests in the present hour by caller. */
  spent: Record<string, { hour: number; requests: number }>;
}
