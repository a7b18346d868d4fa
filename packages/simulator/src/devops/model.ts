/** One variable of a group. A secret's value is kept and never answered. */
export interface GroupVariable {
  value: string | null;
  isSecret: boolean;
  isReadOnly: boolean;
}

/** A variable group: numbered per organization, shown in one or more projects. */
export interface VariableGroup {
  id: number;
  name: string;
  description: string;
  type: "Vsts" | "AzureKeyVault";
  variables: Record<string, GroupVariable>;
  /** Names of the projects it is shared with; the first made it. */
  projects: string[];
  createdMs: number;
  modifiedMs: number;
  /** Object id of who wrote last; the seed's own is null. */
  modifiedBy: string | null;
  /** Counts writes: times are shown with digits finer than the clock's. */
  revision: number;
}

/** What a caller may do with the groups of a project. */
export interface DevopsGrant {
  appId: string;
  /** `*`: every project. */
  project: string;
  role: "administrator" | "reader";
  /** Personal access token that stands for this caller, besides its Entra tokens. */
  pat: string | null;
}

/** A line of the organization's audit log; seen after a delay. */
export interface DevopsAudit {
  id: string;
  atMs: number;
  visibleMs: number;
  actorId: string | null;
  projectName: string;
  groupName: string;
}

/** An Azure DevOps organization, reached on a port of its own. */
export interface DevopsOrganization {
  name: string;
  /** Port it listens on; 0 until it has one. */
  port: number;
  projects: { id: string; name: string }[];
  groups: VariableGroup[];
  grants: DevopsGrant[];
  /** Off unless asked for, as with the vendor. */
  auditing: boolean;
  audits: DevopsAudit[];
}
