import { undeclaredPlaces } from "../fleet/found.ts";
import { checkRow, isProdValue, type RowProblem } from "../inventory/check.ts";
import { named, ownerCount } from "../inventory/owners.ts";
import { holderAddresses } from "../procedure/entra-replace-foreign.ts";
import { block, type Check, check, none, pass, startCheck, warn } from "./check.ts";
import { isEmergency, type Known, namedCredential, oldCredential } from "./input.ts";

/** Addresses that a finding has room for. */
const addressesShown = 5;

const rowProblems = (input: Known, code: RowProblem["code"]) =>
  checkRow(input.row, input.config, input.policy.prod)
    .filter((problem) => problem.code === code)
    .map((problem) => problem.observed);

/** Is it the right thing, may it be touched, and who answers for it? (M4, M5, M20, I11, I12) */
export const targetChecks: readonly Check[] = [
  {
    code: "not-in-inventory",
    sentence: "Only what stands in the accepted inventory is ever touched.",
    evaluate: ({ row, request }) =>
      row === null
        ? block("not listed", "a row of the inventory")
        : row.name === request.target.name
          ? pass("listed", "a row of the inventory")
          : block("another row", "the row that was asked for"),
  },
  {
    code: "policy-none",
    sentence: "No environment of the policy describes this application, so nothing is allowed.",
    evaluate: ({ row, policy }) =>
      row === null
        ? null
        : policy === null
          ? block("none", "a matching environment")
          : pass(policy.environments.join(", "), "a matching environment"),
  },
  {
    code: "world-unread",
    sentence: "The outside could not be read, so nothing can be decided.",
    evaluate: ({ row, world }) =>
      row === null
        ? null
        : world === null
          ? block("not read", "a reading of the outside")
          : pass("read", "a reading of the outside"),
  },
  check("wrong-tenant", "The application stands in another tenant than the inventory says.", (input) => {
    const { row, request, config, world } = input;
    const tenant = config.tenants.find((candidate) => candidate.name === row.tenant);
    if (tenant === undefined) return block("a tenant that is not configured", row.tenant);
    if (request.target.tenant !== undefined && request.target.tenant !== row.tenant)
      return block("a request for another tenant", row.tenant);
    const read = world.target.tenantId;
    if (row.procedure === "entra-client-secret" && read !== tenant.id)
      return block(typeof read === "string" ? read : "no tenant id", tenant.id);
    return none("block", rowProblems(input, "wrong-tenant"), `tenant ${row.tenant} only`);
  }),
  check(
    "application-mismatch",
    "Object id and client id must both be the application the inventory names.",
    ({ row, request, world }) => {
      if (row.procedure !== "entra-client-secret") return null;
      const { objectId, appId } = world.target;
      if (request.target.objectId !== undefined && request.target.objectId !== row.objectId)
        return block(request.target.objectId, row.objectId);
      if (request.target.appId !== undefined && request.target.appId !== row.appId)
        return block(request.target.appId, row.appId);
      if (objectId !== row.objectId)
        return block(typeof objectId === "string" ? objectId : "no object id", row.objectId);
      return appId === row.appId
        ? pass(row.appId, row.appId)
        : block(typeof appId === "string" ? appId : "no client id", row.appId);
    },
  ),
  check("own-executor", "The applications Countersign itself signs in with are never a target.", ({ row, config }) => {
    if (row.procedure !== "entra-client-secret") return null;
    const ours = config.tenants.flatMap((tenant) => [
      tenant.reader.clientId,
      tenant.writer.clientId,
      ...tenant.ownExecutorAppIds,
    ]);
    return ours.includes(row.appId)
      ? block("our own application", "another application")
      : pass("not ours", "another application");
  }),
  check("no-owner", "Somebody must answer for an application before it is automated.", ({ row }) =>
    row.owners.length === 0 ? block("0", "1 or more") : pass(String(row.owners.length), "1 or more"),
  ),
  check("single-owner", "With one owner the application is ownerless on the day that person leaves.", ({ row }) =>
    ownerCount(row) === 0
      ? null
      : ownerCount(row) === 1
        ? warn("1", "2 or more")
        : pass(String(ownerCount(row)), "2 or more"),
  ),
  check("owner-unknown", "Owners must be enrolled people; an unknown one can approve nothing.", ({ row, people }) => {
    const known = new Set(people.map((person) => person.person));
    const unknown = named(row).filter((person) => !known.has(person));
    return none(row.owners.some((owner) => known.has(owner)) ? "warn" : "block", unknown, "enrolled people");
  }),
  startCheck(
    "undeclared-use",
    "It is used where the inventory declares nobody: this rotation does not reach that place.",
    (input) => {
      const { row, seen } = input;
      // Who lives on a credential that somebody else made has a rule of its own.
      if (seen === null || namedCredential(input) !== null) return null;
      const places = undeclaredPlaces(row, seen);
      const looked = [...(seen.signInsRead ? ["sign-ins"] : []), ...(seen.vaultsRead ? ["vaults"] : [])];
      return places.length === 0
        ? pass(`none in ${looked.join(" and ")}`, "declared as a consumer, or ended")
        : none("warn", places, "declared as a consumer, or ended");
    },
  ),
  check("scope-refused", "A value is written only where a connection scope allows it.", (input) =>
    none("block", rowProblems(input, "scope-refused"), "targets inside their connection scopes"),
  ),
  check("environment-mismatch", "Row, consumer and connection must name the same environment.", (input) =>
    none("block", rowProblems(input, "environment-mismatch"), "equal environments"),
  ),
  check("prod-into-nonprod", "A prod value never enters a place that is not prod.", (input) =>
    none("block", rowProblems(input, "prod-into-nonprod"), "prod connections for a prod value"),
  ),
  check(
    "identity-name-only",
    "A target that is known by name only may have been replaced by another of that name.",
    ({ row, world, policy, config }) =>
      none(
        isProdValue(row, config.connections, policy.prod) ? "block" : "warn",
        world.consumers.filter((consumer) => consumer.identityKind === "name-only").map((consumer) => consumer.name),
        "targets with an immutable identity",
      ),
  ),
  startCheck("another-run-open", "One application is rotated by one run at a time.", ({ openRun }) =>
    openRun === null ? pass("none", "no other open run") : block(openRun, "no other open run"),
  ),
  startCheck(
    "supersedes",
    "An emergency takes over the open run of the same application, with all it has made.",
    (input) => {
      if (!isEmergency(input)) return null;
      const { supersedes } = input;
      return supersedes === null
        ? pass("no open run", "a run that can be taken over")
        : warn(`${supersedes.run} in ${supersedes.state}`, "a run that can be taken over");
    },
  ),
  startCheck(
    "credential-unknown",
    "The credential that is said to be compromised must be one of this application's.",
    (input) => {
      const { request, world } = input;
      if (!isEmergency(input)) return null;
      const named = request.target.credential;
      // Without a name it would have to be guessed which one is to die.
      if (named === undefined) return block("none named", "a live credential of the application");
      return world.credentials.some((credential) => credential.id === named)
        ? pass(named, "a live credential of the application")
        : block(named, "a live credential of the application");
    },
  ),
  startCheck(
    "break-glass-unreviewed",
    "Where a break-glass use was not reviewed yet, nothing is begun by itself.",
    ({ request, unreviewed }) => {
      const required = "every break-glass use reviewed";
      if (unreviewed === null) return pass("none", required);
      return request.requester.startsWith("system:") ? block(unreviewed, required) : warn(unreviewed, required);
    },
  ),
  startCheck("another-change-pending", "Another run is about to write one of the same targets.", ({ pendingRuns }) =>
    none("block", pendingRuns, "no other run on these targets"),
  ),
  startCheck("credential-missing", "There is no credential that could be replaced.", (input) =>
    // Of one that is named `not-due` says that it is gone.
    namedCredential(input) !== null
      ? null
      : oldCredential(input) === null
        ? block("none", "a credential")
        : pass("present", "a credential"),
  ),
  startCheck(
    "named-is-ours",
    "Only a credential that somebody else made is replaced by name: our own is what the record holds, or ends by itself.",
    (input) => {
      const old = namedCredential(input) === null ? null : oldCredential(input);
      if (old === null) return null;
      return old.marker === null
        ? pass("made by somebody else", "made by somebody else")
        : block("made by a run of ours", "made by somebody else");
    },
  ),
  startCheck(
    "holder-unlisted",
    "What lives on the named credential stands in no inventory: an owner moves it by hand, and only its last use shows that nobody needs the old one.",
    (input) => {
      const named = namedCredential(input);
      if (named === null || oldCredential(input) === null) return null;
      if (input.world.binding.id === named) return pass("what the record holds", "a holder that is known");
      const addresses = holderAddresses(input.world, named);
      if (addresses === null) return warn("no log of sign-ins", "a holder that is known");
      const more = addresses.length > addressesShown ? ` and ${addresses.length - addressesShown} more` : "";
      return warn(
        addresses.length === 0 ? "no use seen" : `used from ${addresses.slice(0, addressesShown).join(", ")}${more}`,
        "a holder that is known",
      );
    },
  ),
];
