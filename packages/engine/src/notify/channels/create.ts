import type { Mailer, NotifyConfig, SecretValue, TicketsConfig } from "@countersign/core";
import type { Store } from "../../store/index.ts";
import type { Outside } from "../outside.ts";
import type { Taker } from "../routing.ts";
import { ticketChannel } from "../tickets/channel.ts";
import { jira } from "../tickets/jira.ts";
import { serviceNow } from "../tickets/servicenow.ts";
import type { Channel } from "./channel.ts";
import { mailChannel } from "./mail.ts";
import { slackChannel } from "./slack.ts";
import { teamsChannel } from "./teams.ts";
import { webhookChannel } from "./webhook.ts";

/** What channels are made of. */
export interface ChannelParts {
  readonly store: Store;
  readonly outside: Outside;
  readonly mailer: Mailer;
  readonly secret: (reference: string) => SecretValue;
  readonly callDeadlineMs: number;
}

/** The channel of a `notify` or `tickets` entry. Secrets are read for each attempt: a new one needs no restart. */
export function createChannel(config: NotifyConfig | TicketsConfig, parts: ChannelParts): Channel {
  const { store, outside, callDeadlineMs } = parts;
  const shared = { name: config.name, outside, callDeadlineMs };
  const read = (reference: string) => () => parts.secret(reference);
  switch (config.kind) {
    case "webhook":
      return webhookChannel({ ...shared, url: config.url, secret: read(config.secret) });
    case "slack":
      return slackChannel({ ...shared, url: read(config.url), hosts: config.hosts });
    case "teams":
      return teamsChannel({ ...shared, url: read(config.url), hosts: config.hosts });
    case "mail": {
      const { host, port, tls, user, password, from, to } = config;
      const server = { host, port, tls, user: user ?? null, password: read(password ?? "") };
      return mailChannel({ ...shared, ...parts, server, from, to });
    }
    case "jira": {
      const { url, user, token, project, issueType, closeTransition, searchLagSeconds } = config;
      const system = jira({
        outside,
        url,
        user,
        password: read(token),
        project,
        issueType,
        closeTransition: closeTransition ?? null,
        lagMs: searchLagSeconds * 1_000,
      });
      return ticketChannel({ ...shared, store, system });
    }
    case "servicenow": {
      const { url, user, password, table, assignmentGroup, resolvedState, closeCode } = config;
      const system = serviceNow({
        outside,
        url,
        user,
        password: read(password),
        table,
        assignmentGroup: assignmentGroup ?? null,
        resolvedState,
        closeCode,
      });
      return ticketChannel({ ...shared, store, system });
    }
  }
}

/** The same entry as routing sees it. */
export function takerOf(config: NotifyConfig | TicketsConfig): Taker {
  const { name, kind, owners, environments, tenants } = config;
  const kinds = "kinds" in config ? config.kinds : undefined;
  const digest = "digest" in config && config.digest;
  const addresses = config.kind === "mail" ? config.to.length : 0;
  return { name, kind, kinds, owners, environments, tenants, digest, addresses };
}
