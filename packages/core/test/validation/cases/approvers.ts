import { ada, bob, config, good, request, sam, underPolicy } from "../samples.ts";
import { type Case, lastPlan, ownedBy, urgentInProd } from "./inputs.ts";

/** Who must agree: the rules of validation/approvers.ts. */
export const approversCases: readonly Case[] = [
  ["one person would decide on an emergency in prod", urgentInProd(), "emergency-one-person", "block"],
  [
    "nobody has the role",
    { ...good, people: good.people.filter((person) => !person.roles.includes("platform")) },
    "approvers-too-few",
    "block",
  ],
  [
    "one person would have to approve twice",
    {
      ...good,
      people: [
        { person: ada, roles: ["app-owner", "platform"], level: "passkey" },
        { person: bob, roles: ["security"], level: "passkey" },
      ],
    },
    "approvers-too-few",
    "block",
  ],
  [
    "the requester is the only owner left",
    { ...ownedBy(bob), request: { ...request, requester: bob } },
    "approvers-too-few",
    "block",
  ],
  [
    "whoever answers for its business is to agree, and nobody is named",
    underPolicy(["from: owner-of-app", "from: business-owner-of-app"]),
    "approvers-too-few",
    "block",
  ],
  [
    "nobody can reach the level",
    {
      ...underPolicy(["minLevel: session", "minLevel: passkey"]),
      people: good.people.map((person) => ({ ...person, level: "session" as const })),
    },
    "approvers-too-few",
    "block",
  ],
  [
    "a risk needs security and there is none",
    {
      ...good,
      people: good.people.filter((person) => person.person !== sam),
      lastPlan: { ...lastPlan, consumers: [] },
    },
    "approvers-too-few",
    "block",
  ],
  [
    "a prod connection under a policy that accepts sessions",
    { ...good, config: { ...config, connections: config.connections.map((item) => ({ ...item, prod: true })) } },
    "session-level-refused-in-prod",
    "block",
  ],
];
