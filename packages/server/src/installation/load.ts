import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { connectionKinds } from "@countersign/connectors";
import {
  type Config,
  CountersignError,
  type Inventory,
  inventoryFormat,
  type Policy,
  parseConfig,
  parseInventory,
  parsePolicy,
  type SecretValue,
} from "@countersign/core";
import type { Ground } from "@countersign/engine";
import { digestOf, type Trust } from "@countersign/evidence";
import { readSecret } from "./secrets.ts";
import { readTrust } from "./state.ts";

/** Name of the policy beside countersign.yaml. */
export const policyName = "policy.yaml";
const documentBytesMax = 8 * 1024 * 1024;

/** A configuration with the folder it was read from: every path in it is relative to that folder. */
export interface Installation {
  readonly config: Config;
  readonly folder: string;
  readonly state: string;
  /** Certificates of private authorities, PEM. */
  readonly ca: readonly string[];
  readonly secret: (reference: string) => SecretValue;
}

/** Reads countersign.yaml. Throws CONFIG_INVALID with every problem and its place. */
export function loadInstallation(configPath: string): Installation {
  const path = resolve(configPath);
  const folder = dirname(path);
  const config = parseConfig(readDocument(path, "CONFIG_INVALID"), connectionKinds);
  const ca = config.network.ca.map((name) => readAuthority(resolve(folder, name)));
  return {
    config,
    folder,
    state: resolve(folder, config.state),
    ca,
    secret: (reference) => readSecret(reference, folder),
  };
}

/** Node ignores what is no certificate: each call would then fail as if the server were an impostor. */
function readAuthority(path: string): string {
  const pem = readDocument(path, "CONFIG_INVALID").toString("utf8");
  try {
    void new X509Certificate(pem);
    return pem;
  } catch {
    throw new CountersignError("CONFIG_INVALID", `expected certificates in PEM in ${path}, got something else`);
  }
}

function readDocument(path: string, code: "CONFIG_INVALID" | "INVENTORY_INVALID" | "POLICY_INVALID"): Buffer {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    throw new CountersignError(code, `expected a readable file at ${path}, got none`);
  }
  if (bytes.length > documentBytesMax)
    throw new CountersignError(code, `expected at most ${documentBytesMax} bytes in ${path}, got ${bytes.length}`);
  return bytes;
}

/** Seconds in durations are for demos and tests only. */
export function durationsOf(config: Config): { readonly seconds: boolean } {
  return { seconds: config.profile !== "production" };
}

/** The policy file as it stands, whether or not it is the active one. */
export function readPolicy(installation: Installation): { policy: Policy; bytes: Uint8Array; digest: string } {
  return policyOf(readDocument(join(installation.folder, policyName), "POLICY_INVALID"), installation);
}

function policyOf(bytes: Buffer, { config }: Installation) {
  return { policy: parsePolicy(bytes, durationsOf(config)), bytes, digest: digestOf(bytes) };
}

/** Where the inventory's file stands. */
export function inventoryPath({ folder, config }: Installation): string {
  return resolve(folder, config.inventory.file);
}

/** The inventory file as it stands, whether or not it was accepted. */
export function readInventory(installation: Installation): Inventory {
  return inventoryOf(readDocument(inventoryPath(installation), "INVENTORY_INVALID"), installation);
}

function inventoryOf(bytes: Buffer, { config }: Installation): Inventory {
  return parseInventory(bytes, durationsOf(config), inventoryFormat(config.inventory));
}

/** A document's file, read at each call; parsing takes from milliseconds to seconds, so its bytes decide whether it is needed again. */
function rereading<T>(
  path: string,
  code: "INVENTORY_INVALID" | "POLICY_INVALID",
  parse: (bytes: Buffer) => T,
): () => T {
  let known: { readonly bytes: Buffer; readonly value: T } | null = null;
  return () => {
    const bytes = readDocument(path, code);
    if (known === null || !known.bytes.equals(bytes)) known = { bytes, value: parse(bytes) };
    return known.value;
  };
}

/**
 * What this host itself knows, read anew at each call: an edit counts only once the trust file names it
 * (`countersign policy activate`, `countersign inventory accept`).
 */
export function groundOf(installation: Installation): Ground {
  const { folder } = installation;
  const policyFile = rereading(join(folder, policyName), "POLICY_INVALID", (bytes) => policyOf(bytes, installation));
  const inventoryFile = rereading(inventoryPath(installation), "INVENTORY_INVALID", (bytes) =>
    inventoryOf(bytes, installation),
  );
  return {
    config: installation.config,
    trust: (): Trust => readTrust(installation.state),
    policy() {
      const found = policyFile();
      if (!readTrust(installation.state).policies.has(found.digest)) {
        throw new CountersignError(
          "POLICY_UNTRUSTED",
          `expected a policy that the trust file names, got ${found.digest}`,
        );
      }
      return found;
    },
    inventory() {
      const found = inventoryFile();
      if (!readTrust(installation.state).inventories.has(found.digest)) {
        throw new CountersignError(
          "INVENTORY_UNTRUSTED",
          `expected an inventory that was accepted, got ${found.digest}`,
        );
      }
      return found;
    },
  };
}
