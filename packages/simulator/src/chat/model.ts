/** A message as a room received it. */
export interface ChatMessage {
  atMs: number;
  payload: unknown;
}

/** A place that people read: a Slack channel or a Teams channel, behind an incoming webhook whose address is its secret. */
export interface ChatRoom {
  name: string;
  kind: "slack" | "teams";
  port: number;
  token: string;
  /** The newest ones; older are dropped. */
  messages: ChatMessage[];
}
