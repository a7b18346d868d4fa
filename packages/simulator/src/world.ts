import type { SimClock } from "./clock/sim-clock.ts";
import type { EffectLog } from "./effects/log.ts";
import type { TokenKeys } from "./entra/token-keys.ts";
import type { Holds } from "./faults/holds.ts";
import type { Knobs } from "./faults/knobs.ts";
import type { Rules } from "./faults/rules.ts";
import type { EventHub } from "./management/events.ts";
import type { Random } from "./random.ts";
import type { Tenant } from "./tenant/model.ts";

/** Where the tenant can be reached. */
export interface Addresses {
  authority: string;
  graph: string;
  management: string;
  vaults: Record<string, string>;
  postgres: Record<string, string>;
  /** By name of the organization, without it in the path. */
  devops: Record<string, string>;
  /** API of each GitHub, as of a GitHub Enterprise Server. */
  github: Record<string, string>;
  clusters: Record<string, string>;
  gateways: Record<string, string>;
  /** Azure Resource Manager. */
  arm: string;
  /** Address of each room's incoming webhook; it is a secret, as with the vendors. */
  chat: Record<string, string>;
  /** Ticket systems by name. */
  desks: Record<string, string>;
}

/** Everything the faces of the tenant share. */
export interface World {
  readonly seed: number;
  readonly clock: SimClock;
  readonly tenant: Tenant;
  knobs: Knobs;
  readonly effects: EffectLog;
  readonly events: EventHub;
  readonly holds: Holds;
  readonly rules: Rules;
  readonly keys: TokenKeys;
  readonly addresses: Addresses;
  /** The stream of that name; the same object each time. */
  random(stream: string): Random;
  /** Called after each effect, once it is logged and before its reply: writes the state file where there is one. */
  persist: () => void;
  /** Called after each log entry: the state file follows soon. */
  touch: () => void;
}
