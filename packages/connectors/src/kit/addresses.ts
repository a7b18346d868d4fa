import { lookup as systemLookup } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { CountersignError } from "@countersign/core";

const never = new BlockList();
never.addSubnet("169.254.0.0", 16, "ipv4"); // link-local; cloud metadata services live here
never.addSubnet("0.0.0.0", 8, "ipv4");
never.addSubnet("224.0.0.0", 3, "ipv4"); // multicast and reserved
never.addSubnet("fe80::", 10, "ipv6");
never.addSubnet("ff00::", 8, "ipv6");
never.addAddress("::", "ipv6");
never.addAddress("fd00:ec2::254", "ipv6");

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** What no public service has: private and shared ranges, and IPv6 forms that stand for an IPv4 address. */
const inward = new BlockList();
inward.addSubnet("10.0.0.0", 8, "ipv4");
inward.addSubnet("100.64.0.0", 10, "ipv4");
inward.addSubnet("172.16.0.0", 12, "ipv4");
inward.addSubnet("192.0.0.0", 24, "ipv4");
inward.addSubnet("192.168.0.0", 16, "ipv4");
inward.addSubnet("198.18.0.0", 15, "ipv4");
inward.addSubnet("::", 96, "ipv6");
inward.addSubnet("64:ff9b::", 96, "ipv6");
inward.addSubnet("64:ff9b:1::", 48, "ipv6");
inward.addSubnet("2001::", 32, "ipv6");
inward.addSubnet("2002::", 16, "ipv6");
inward.addSubnet("fc00::", 7, "ipv6");
inward.addSubnet("fec0::", 10, "ipv6");

/**
 * Whether an address may be connected to. Private ranges may, since private endpoints of vaults live there, unless only
 * public addresses are wanted.
 */
export function addressAllowed(address: string, loopbackAllowed: boolean, publicOnly = false): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  const family = isIP(plain) === 6 ? "ipv6" : "ipv4";
  if (never.check(plain, family)) return false;
  if (publicOnly && inward.check(plain, family)) return false;
  return loopbackAllowed || !loopback.check(plain, family);
}

/** Whether a URL's host says loopback by itself. */
export function isLoopbackHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  if (host === "localhost" || host.endsWith(".localhost")) return true;
  const family = isIP(host);
  return family !== 0 && loopback.check(host, family === 6 ? "ipv6" : "ipv4");
}

/** A DNS look-up that refuses forbidden addresses after resolution: a name that points at a metadata service is not followed. */
export function guardedLookup(loopbackAllowed: boolean, publicOnly = false): LookupFunction {
  return (hostname, options, callback) => {
    if (loopbackAllowed && isLoopbackHost(hostname)) {
      // `*.localhost` is loopback by definition (RFC 6761); not every resolver knows.
      if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }]);
      else callback(null, "127.0.0.1", 4);
      return;
    }
    systemLookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, "", 4);
        return;
      }
      const allowed = found.filter((entry) => addressAllowed(entry.address, loopbackAllowed, publicOnly));
      const first = allowed[0];
      if (first === undefined) {
        const refused = new CountersignError(
          "HOST_REFUSED",
          `expected an allowed address behind ${hostname}, got none`,
        );
        callback(Object.assign(refused, { code: "HOST_REFUSED" as const }), "", 4);
      } else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/** Parses a configured base URL and refuses what may never be one. The result has no trailing slash. */
export function baseUrl(text: string, loopbackAllowed: boolean, publicOnly = false): URL {
  if (!URL.canParse(text))
    throw new CountersignError("HOST_REFUSED", "expected an absolute URL in the configuration, got another text");
  const url = new URL(text);
  const local = isLoopbackHost(url.hostname);
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new CountersignError(
      "HOST_REFUSED",
      `expected a base URL without user, query or fragment, got one at ${url.host}`,
    );
  }
  if (url.protocol !== "https:" && !(url.protocol === "http:" && local && loopbackAllowed)) {
    throw new CountersignError("HOST_REFUSED", `expected https, got ${url.protocol}//${url.host}`);
  }
  const literal = url.hostname.replace(/^\[|\]$/g, "");
  if ((local && !loopbackAllowed) || (isIP(literal) !== 0 && !addressAllowed(literal, loopbackAllowed, publicOnly))) {
    throw new CountersignError(
      "HOST_REFUSED",
      `expected a host outside ${publicOnly ? "private ranges, " : ""}loopback and link-local, got ${url.host}`,
    );
  }
  return url;
}
