import { fleetCodes, scanLateSeconds } from "@countersign/core";

/** docs/findings-of-the-fleet.md: the closed list, from the code that says it. */
export function fleetPage(): string {
  const rows = Object.entries(fleetCodes).map(([code, sentence]) => `| \`${code}\` | ${sentence} |`);
  return `# Findings of the fleet

What is said of every application, service principal and credential that a scan has seen, in the inventory or not. Made from the code; the most
urgent first. A finding is kept from the look that first saw it until one that does not: \`firstSeenAt\`, \`lastSeenAt\`, \`clearedAt\`.

| code | meaning |
|---|---|
${rows.join("\n")}

## What they rest on
- **changed-out-of-band**: the directory's own log ([audit-log.md](audit-log.md)). It stands until a person explains the change, or its credential is gone.
- **expiring, long-lived**: for a listed application what policy says of it (\`rotateWhenExpiresIn\`, \`secretLifetime.max\`), for all others the configuration
  (\`scan.expiringDays\`, \`scan.lifetimeDaysMax\`). Where an app management policy of the tenant allows less, that holds.
- **ownerless, single-owner**: for a listed application its owners in the inventory, technical and business ones counted together (without a technical one it is ownerless), for all others those of the directory.
- **owner-unreachable**: the last mail to somebody whom the inventory names for a listed application was refused by its server (\`recipient-refused\`), and none was taken since. It goes with the first mail that is taken, or when the inventory names somebody else.
- **several-live**: more than one live secret, and no run of the application is open.
- **foreign-on-managed**: once a secret of ours is in use there, any other live one.
- **unused**: the directory's report on last use (beta, needs \`AuditLog.Read.All\` and a P1 or P2 licence), judged as of its reading.
- **failing**: the sign-in log (beta; the same right and licence), after each scan: sign-ins of the last \`scan.failingHours\` (24) refused for a wrong secret (AADSTS7000215) or an
  expired one (7000222), \`scan.failingMin\` (3) of them or more, over more than ten minutes. Of the credential if the log names one that is there, otherwise of the
  application: of a wrong secret nobody can say which it was meant to be. Our own addresses (\`ownAddresses\`) are left out. At most 25,000 refusals of each kind are read at a look, the newest first.
- **undeclared-use**: of a listed application, addresses that sign in with it (the sign-in log of the last 30 days) and entries of vaults that point at it, as far as they are
  neither its record nor a declared consumer. The page Inventory names the lines to add. Vaults are looked into once a day, and a finding follows at the next scan.
- **scan-late**: no whole listing came through for ${scanLateSeconds / 3_600} hours; operators are told.

Owners, policies, last use, refused sign-ins and who signs in come from a second pass after each scan ([operating/scanning.md](operating/scanning.md)). What it has not read, or the tenant does not
give, is not known: nothing is said then, neither "no owner" nor "unused" nor "failing"; above the list stands what was not read, and whether the directory refuses it.

In the console under Findings, over the API as \`GET /v1/findings\`, with \`countersign findings\`.

## Accepted until a date
What cannot be helped for a while is accepted, so that the rest is read. Somebody (app-owner, platform or security) asks for it, until a date and with a reason; **a
second person, of security, confirms**. From then on it counts no more in lists and figures; it stands under "Accepted", with who, until when and why.

- It is of the finding **as it was seen**: once something else is observed (\`730 days\` became \`3650 days\`, another sign-in), it counts again; back as it was, it is accepted.
- On its date it ends by itself: the finding stands open again and can be found under "accepted until a date that has passed". Nothing is accepted for longer than
  \`scan.acceptanceDaysMax\` (180 days, at most 366). What nobody confirmed by then was never accepted.
- Whoever asked, and security, can take it back at any time; a new one is asked for anew.
- It changes the list and **nothing else**: no rule, no validation and no rotation reads it.
- Each word is an entry of the log (\`acceptance.asked\`, \`.confirmed\`, \`.expired\`, \`.withdrawn\`); the reason is an attachment, so that it can be erased.

\`\`\`
countersign findings                                   # the number of each
countersign acceptances ask 17 18 --until 2027-03-01 --reason "Its vendor replaces it in spring; ticket 4711."
countersign acceptances                                # what waits for a second person, is accepted, or was
countersign acceptances confirm 3 4                    # somebody else, of security
countersign acceptances withdraw 3
\`\`\`
`;
}
