/** Connectors: verbs, world readers and scanners of the outside systems. The order of a rotation is not decided here. */
export { type BuiltConnectors, createConnectors, type Finder } from "./create.ts";
export type { InventoryFound } from "./entra/inventory-source.ts";
export type { TwinRules, TwinsFound } from "./entra/twins.ts";
export type { SweepContext } from "./kit/leave.ts";
export { formatMarker, type Marker, parseMarker } from "./kit/markers.ts";
export { type Outside, openOutside } from "./kit/outside.ts";
export { type Observe, reachOf } from "./kit/reach.ts";
export { openMailer } from "./mail/mailer.ts";
export { type ConnectorsConfig, type ConnectorsDeps, connectionKinds } from "./settings.ts";
