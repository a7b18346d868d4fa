import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CountersignError, checkInventory } from "@countersign/core";
import { openStore } from "@countersign/engine";
import { digestOf, type TrustFile } from "@countersign/evidence";
import { build } from "./build.ts";
import { openClock } from "./clock.ts";
import { openDatabase } from "./database.ts";
import { loadInstallation, readInventory, readPolicy } from "./load.ts";
import { createKeys, readTrustFile, saveTrustFile, stateFiles, trustKeys } from "./state.ts";

/** What `countersign init` made. */
export interface Initialised {
  readonly state: string;
  readonly trust: string;
  readonly trustDigest: string;
  readonly origin: string;
  readonly people: number;
}

/**
 * Makes an installation on the executor's host: keys, trust file with the founders, genesis entry, first policy and
 * inventory. Refuses a state folder that has one already.
 */
export async function init(configPath: string, origin: string): Promise<Initialised> {
  const installation = loadInstallation(configPath);
  const { config, state } = installation;
  const policy = readPolicy(installation);
  const inventory = readInventory(installation);
  const people = config.signIn.local.map(({ person, iss, sub, roles }) => ({
    person,
    iss,
    sub,
    roles: [...roles],
    level: "session" as const,
  }));
  const [problem] = checkInventory(inventory.rows, config, people);
  if (problem !== undefined) {
    throw new CountersignError(
      "INVENTORY_INVALID",
      `${problem.row}: ${problem.code}: expected ${problem.required}, got ${problem.observed}`,
    );
  }
  const keys = createKeys(state, origin);
  const file: TrustFile = {
    v: 1,
    origin,
    profile: config.profile,
    solo: people.length < 2,
    ...trustKeys(keys),
    people,
    policies: [{ digest: policy.digest }],
    inventories: [{ digest: inventory.digest }],
  };
  saveTrustFile(state, file);

  const database = await openDatabase(installation, "executor");
  const clock = await openClock(installation, () => {});
  const store = openStore({ role: "cs_executor", connection: database.connection("cs_executor") });
  try {
    const at = clock.now();
    const trustDigest = digestOf(readFileSync(join(state, stateFiles.trust)));
    const founders = people.map(({ person }) => person);
    await store.append(
      {
        type: "log.genesis",
        data: {
          build,
          clock: clock.kind,
          founders,
          origin,
          profile: config.profile,
          // Keys of all roles are made here; with a login of its own for each they are handed out.
          separation: database.ownLogin ? "roles" : "none",
          trustDigest: digest(trustDigest),
        },
      },
      at,
    );
    await recordPolicy(store, policy, null, at);
    await store.append({ type: "inventory.accepted", data: { inventoryDigest: digest(inventory.digest) } }, at);
    for (const { person, iss, sub, name, email } of config.signIn.local)
      await store.personPut({ id: person, iss, sub, name, email });
    return { state, trust: join(state, stateFiles.trust), trustDigest, origin, people: people.length };
  } finally {
    await store.close();
    await clock.close();
    await database.stop();
  }
}

/**
 * Activates the policy file, or accepts the inventory file, as it stands now: writes its digest into the trust file and
 * an entry into the log. Only on the executor's host; whoever can do this is the root of trust.
 */
export async function accept(
  configPath: string,
  what: "policy" | "inventory",
): Promise<{ digest: string; previous: string | null }> {
  const installation = loadInstallation(configPath);
  const found = what === "policy" ? readPolicy(installation) : readInventory(installation);
  const file = readTrustFile(installation.state);
  const list = what === "policy" ? file.policies : file.inventories;
  const previous = list.at(-1)?.digest ?? null;
  if (list.some((item) => item.digest === found.digest)) return { digest: found.digest, previous };
  const database = await openDatabase(installation, "executor");
  const clock = await openClock(installation, () => {});
  const store = openStore({ role: "cs_executor", connection: database.connection("cs_executor") });
  try {
    const next = [...list, { digest: found.digest }];
    saveTrustFile(installation.state, what === "policy" ? { ...file, policies: next } : { ...file, inventories: next });
    if ("bytes" in found) await recordPolicy(store, found, previous, clock.now());
    else
      await store.append({ type: "inventory.accepted", data: { inventoryDigest: digest(found.digest) } }, clock.now());
    return { digest: found.digest, previous };
  } finally {
    await store.close();
    await clock.close();
    await database.release();
  }
}

async function recordPolicy(
  store: ReturnType<typeof openStore>,
  policy: { bytes: Uint8Array; digest: string },
  previous: string | null,
  at: number,
): Promise<void> {
  await store.attachmentPut(policy.bytes, "policy", at);
  await store.append(
    {
      type: "policy.activated",
      data: { policyDigest: digest(policy.digest), previous: previous === null ? null : digest(previous) },
    },
    at,
  );
}

function digest(text: string): `sha256:${string}` {
  return text as `sha256:${string}`;
}
