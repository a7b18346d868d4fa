/** An entry that somebody's own interface keeps a value in. */
export interface GatewayEntry {
  name: string;
  /** Another one when the entry is made again. */
  id: string;
  value: string;
  /** What the writer said that it is the version of. */
  version: string;
  updatedMs: number;
  writes: number;
}

/** A plain HTTP interface of somebody's own, on a port of its own. */
export interface Gateway {
  name: string;
  port: number;
  token: string;
  /** Whether it answers values. */
  readable: boolean;
  entries: GatewayEntry[];
}
