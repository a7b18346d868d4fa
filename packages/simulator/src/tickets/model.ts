/** A ticket as its system keeps it. */
export interface Ticket {
  id: string;
  /** What people call it. */
  key: string;
  createdMs: number;
  /** From then on a search finds it. */
  foundMs: number;
  /** Label or correlation id by which it is looked for. */
  labels: string[];
  title: string;
  text: string;
  state: string;
  closed: boolean;
  comments: { id: string; atMs: number; text: string }[];
}

/** A ticket system: a Jira Cloud site with one project, or a ServiceNow instance with one table. */
export interface TicketDesk {
  name: string;
  kind: "jira" | "servicenow";
  port: number;
  user: string;
  password: string;
  /** Key of the Jira project. */
  project: string;
  tickets: Ticket[];
}
