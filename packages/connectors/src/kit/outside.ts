import { CountersignError, type NoAnswer } from "@countersign/core";
import { baseUrl, isLoopbackHost } from "./addresses.ts";
import { type Incoming, type Network, type Outgoing, Wire } from "./wire.ts";

/**
 * The way out for channels that tell people. The rules of {@link Wire} hold: no redirects, guarded addresses, private
 * authorities, proxy, deadline, answers of limited size. It never tries twice: who sends keeps that in a row.
 */
export interface Outside {
  /** A base URL of the configuration. Throws HOST_REFUSED. */
  base(address: string): URL;
  /** An address that holds a secret, on one of these hosts (`*.` stands for any subdomain). Throws HOST_REFUSED without it. */
  secretAddress(address: string, hosts: readonly string[]): URL;
  send(out: Omit<Outgoing, "freshConnection">): Promise<Incoming | NoAnswer>;
  close(): Promise<void>;
}

export function openOutside(settings: Network & { readonly version: string }): Outside {
  const wire = new Wire(settings);
  return {
    base: (address) => baseUrl(address, settings.loopback),
    secretAddress(address, hosts) {
      const url = URL.canParse(address) ? new URL(address) : null;
      if (url === null || url.username !== "" || url.password !== "")
        throw new CountersignError("HOST_REFUSED", "expected an absolute address in the secret, got another text");
      const local = settings.loopback && isLoopbackHost(url.hostname);
      if (!local) baseUrl(url.origin, settings.loopback);
      if (!local && !hosts.some((pattern) => isHost(pattern, url.hostname)))
        throw new CountersignError("HOST_REFUSED", `expected an address on ${hosts.join(" or ")}, got another host`);
      return url;
    },
    send: (out) =>
      wire.send({
        ...out,
        headers: { "user-agent": `countersign/${settings.version}`, "accept-encoding": "identity", ...out.headers },
        // A message may not be repeated by a socket that was dying.
        freshConnection: out.method !== "GET",
      }),
    close: () => wire.close(),
  };
}

function isHost(pattern: string, host: string): boolean {
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
}
