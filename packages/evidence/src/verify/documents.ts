import { sameBytes, toBase64 } from "../base64.ts";
import {
  anchorFile,
  attachmentFile,
  type BundleFiles,
  consistencyFile,
  contextFile,
  contextProofFile,
  entryFile,
  entryProofFile,
  envelopeFile,
  FILES,
  fileOf,
  statementFile,
} from "../bundle/layout.ts";
import { type BundleNeeds, needsOf } from "../bundle/needs.ts";
import { parseConsistency } from "../bundle/proof-file.ts";
import { type Checkpoint, type CheckpointRef, verifyCheckpoint } from "../checkpoint.ts";
import { digestHex, digestOf } from "../digest.ts";
import { show } from "../errors.ts";
import { verifyConsistency } from "../merkle.ts";
import { NAMING_PROCEDURES, type PlanFacts, parsePlan } from "../plan.ts";
import { firstOf, governingValidation, ofType, policyDigestOf, type RunView, requestOf } from "../run-view.ts";
import { type VerifiedApproval } from "../statement.ts";
import type { Trust } from "../trust.ts";
import type { ReadEntries, ReadEntry } from "./log.ts";
import { prove } from "./report.ts";

/** The policy the run was judged by is the file in the bundle, and the trust file knows it. */
export function checkPolicy(files: BundleFiles, run: RunView, trust: Trust): string | undefined {
  const digest = policyDigestOf(run);
  if (digest === undefined) return undefined;
  prove(trust.policies.has(digest), `expected a policy that the trust file knows, got ${digest}`);
  const found = digestOf(fileOf(files, FILES.policy));
  prove(found === digest, `expected policy.yaml to have digest ${digest}, got ${found}`);
  return digest;
}

/** The inventory the run was judged by is one the trust file knows. */
export function checkInventory(run: RunView, trust: Trust): string | undefined {
  const validation = governingValidation(run);
  if (validation === undefined) {
    prove(firstOf(run, "plan.frozen") === undefined, "expected run.validated before plan.frozen");
    return undefined;
  }
  const digest = validation.entry.data.inventoryDigest;
  prove(trust.inventories.has(digest), `expected an inventory that the trust file knows, got ${digest}`);
  return digest;
}

/** The plan is the one that was frozen for this run, under this policy and inventory, without a blocking finding. */
export function checkPlan(files: BundleFiles, run: RunView): PlanFacts | undefined {
  const all = ofType(run, "plan.frozen");
  prove(all.length <= 1, "expected one plan for a run, got several");
  const frozen = all[0]?.entry.data;
  if (frozen === undefined) return undefined;
  const bytes = fileOf(files, FILES.plan);
  const found = digestOf(bytes);
  prove(found === frozen.planDigest, `expected plan.json to have digest ${frozen.planDigest}, got ${found}`);
  const plan = parsePlan(bytes);
  const request = requestOf(run).data;
  const validation = governingValidation(run)?.entry.data;
  const name = `${plan.procedure.name}@${plan.procedure.major}`;
  prove(plan.run === run.id, `expected the plan to be for ${run.id}, got ${plan.run}`);
  prove(
    plan.requester === request.requester,
    `expected the plan's requester to be ${request.requester}, got ${plan.requester}`,
  );
  prove(plan.policyDigest === frozen.policyDigest, "expected the plan's policy to be the one it was frozen under");
  prove(
    validation?.policyDigest === frozen.policyDigest,
    "expected the last validation before the plan to be under its policy",
  );
  prove(
    validation.inventoryDigest === plan.inventoryDigest,
    "expected the last validation before the plan to be of its inventory",
  );
  prove(!validation.findings.some((f) => f.result === "block"), "expected no blocking finding under a plan");
  prove(frozen.procedure === name && request.procedure === name, `expected procedure ${name} as requested and frozen`);
  const compromise = request.trigger === "compromise";
  prove(
    plan.emergency === null || compromise,
    `expected an emergency to be asked for because of a compromise, got ${request.trigger}`,
  );
  if (NAMING_PROCEDURES.includes(plan.procedure.name)) {
    const { credential } = request.target;
    prove(
      credential === plan.old.id && !compromise,
      `expected the plan to retire the credential that was asked for, got ${show(plan.old.id)}`,
    );
  }
  prove(frozen.procedureDigest === plan.procedure.digest, "expected the plan's procedure digest to be the one frozen");
  for (const [key, value] of Object.entries(targetIds(plan))) {
    const asked = request.target[key];
    prove(
      asked === undefined || asked === value,
      `expected the plan's ${key} to be the one asked for, got ${show(value)}`,
    );
  }
  return plan;
}

function targetIds(plan: PlanFacts): Record<string, string> {
  return plan.target.kind === "entra-application"
    ? { objectId: plan.target.objectId, appId: plan.target.appId }
    : { systemIdentifier: plan.target.systemIdentifier, database: plan.target.database };
}

/** The digests of everything the run names that was erased, as the context entries say. */
export function erasedIn(entries: ReadEntries): Map<string, string> {
  const erased = new Map<string, string>();
  for (const { entry } of entries.context) {
    if (entry.type === "attachment.erased") erased.set(entry.data.attachment, entry.at);
  }
  return erased;
}

/** Each text the run names by digest is here with that digest, or was erased by an entry in the log. */
export function checkAttachments(files: BundleFiles, needs: BundleNeeds, erased: ReadonlyMap<string, string>): void {
  for (const digest of needs.attachments) {
    const bytes = files.get(attachmentFile(digestHex(digest)));
    if (bytes === undefined) prove(erased.has(digest), `expected attachment ${digest}, or the entry that erased it`);
    else prove(digestOf(bytes) === digest, `expected attachment ${digest}, got other content under its name`);
  }
}

/** The context holds what the check needs and nothing else: genesis, the policy's activation, erasures, reviews. */
export function checkContext(entries: ReadEntries, run: RunView, needs: BundleNeeds, gone: ReadonlySet<string>): void {
  const judged = governingValidation(run) ?? firstOf(run, "plan.frozen");
  let activations = 0;
  const erasures = new Set<string>();
  entries.context.forEach(({ entry, index }, n) => {
    const at = `context/${n}`;
    prove(
      n === 0 || index > (entries.context[n - 1]?.index ?? 0),
      `expected ${at} to stand later in the log than the one before`,
    );
    if (entry.type === "log.genesis") prove(n === 0, "expected log.genesis once");
    else if (entry.type === "policy.activated") {
      activations++;
      prove(entry.data.policyDigest === needs.policy, `expected ${at} to activate the policy of this run`);
      prove(
        judged !== undefined && index < judged.index,
        "expected the policy to be active before the run was judged by it",
      );
    } else if (entry.type === "breakglass.reviewed") {
      prove(entry.data.of === run.id, `expected ${at} to review this run`);
      prove(firstOf(run, "breakglass.granted") !== undefined, `expected ${at} only of a break-glass use`);
    } else {
      prove(entry.type === "attachment.erased", `expected no ${entry.type} in the context`);
      prove(gone.has(entry.data.attachment), `expected ${at} to erase something this run names and lacks`);
      prove(!erasures.has(entry.data.attachment), `expected one erasure of ${entry.data.attachment}`);
      erasures.add(entry.data.attachment);
    }
  });
  const wanted = needs.policy === undefined ? 0 : 1;
  prove(activations === wanted, `expected ${wanted} policy.activated in the context, got ${activations}`);
}

/** Everything an approval or the authorisation saw of the log is still in the log. */
export function checkAnchors(files: BundleFiles, seen: readonly CheckpointRef[], log: Checkpoint, trust: Trust): void {
  for (const ref of seen) {
    const { size } = ref;
    prove(ref.origin === log.origin, `expected a checkpoint of ${log.origin}, got ${show(ref.origin)}`);
    prove(size <= log.size, `expected a checkpoint up to size ${log.size}, got ${size}`);
    if (size === log.size) {
      prove(ref.root === toBase64(log.root), `expected the log's root at size ${size}, got another in what was signed`);
      continue;
    }
    const anchor = verifyCheckpoint(fileOf(files, anchorFile(size)), log.origin, trust.logKeys);
    prove(anchor.size === size, `expected anchors/checkpoint.${size} to be of that size, got ${anchor.size}`);
    prove(
      toBase64(anchor.root) === ref.root,
      `expected the signed checkpoint of size ${size} to be the one approved under`,
    );
    const proof = parseConsistency(fileOf(files, consistencyFile(size, log.size)));
    verifyConsistency(size, log.size, proof, anchor.root, log.root);
  }
}

/** The bundle has exactly the files that its entries demand. */
export function checkFileSet(
  files: BundleFiles,
  entries: ReadEntries,
  needs: BundleNeeds,
  gone: ReadonlySet<string>,
  logSize: number,
): void {
  const wanted = new Set<string>([FILES.readme, FILES.sums, FILES.runRecord, FILES.checkpoint]);
  if (needs.plan !== undefined) wanted.add(FILES.plan);
  if (needs.policy !== undefined) wanted.add(FILES.policy);
  entries.run.forEach((_, n) => wanted.add(entryFile(n)).add(entryProofFile(n)));
  entries.context.forEach((_, n) => wanted.add(contextFile(n)).add(contextProofFile(n)));
  for (const digest of needs.statements) {
    if (!gone.has(digest)) wanted.add(statementFile(digestHex(digest))).add(envelopeFile(digestHex(digest)));
  }
  for (const digest of needs.attachments) if (!gone.has(digest)) wanted.add(attachmentFile(digestHex(digest)));
  for (const m of needs.anchors) if (m !== logSize) wanted.add(anchorFile(m)).add(consistencyFile(m, logSize));
  for (const name of files.keys()) prove(wanted.has(name), `expected no file ${show(name)}: no entry asks for it`);
  for (const name of wanted) prove(files.has(name), `expected file ${name}, got nothing`);
}

/** What the bundle must hold, given the statements whose signatures hold. */
export function needsGiven(
  run: RunView,
  approvals: readonly VerifiedApproval[],
  context: readonly ReadEntry[],
): BundleNeeds {
  const statements = new Map(approvals.map((a) => [digestOf(a.bytes), a.statement]));
  const entries = context.map(({ entry }) => entry);
  return needsOf(run, statements, entries);
}

/** The files of a bundle compared with what they must be, byte for byte. */
export function checkExact(files: BundleFiles, name: string, expected: Uint8Array): void {
  prove(sameBytes(fileOf(files, name), expected), `expected ${name} to say what the entries say, got another text`);
}
