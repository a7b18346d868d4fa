/** A mail with its headers unfolded and its text decoded. */
export interface ParsedMail {
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly text: string;
}

/** Reads a mail of one plain-text part, as the product writes them; anything else is an error of the test. */
export function parseMail(bytes: Buffer): ParsedMail {
  const raw = bytes.toString("utf8");
  const end = raw.indexOf("\r\n\r\n");
  const headers = new Map<string, string[]>();
  for (const line of raw
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, " ")
    .split("\r\n")) {
    const [, name = "", value = ""] = /^([!-9;-~]+): ?(.*)$/.exec(line) ?? [];
    if (name === "") throw new Error(`expected a header, got ${line}`);
    headers.set(name.toLowerCase(), [...(headers.get(name.toLowerCase()) ?? []), decodeWords(value)]);
  }
  if (headers.get("content-type")?.[0]?.startsWith("text/plain") !== true) throw new Error("expected plain text");
  const body = raw.slice(end + 4);
  const encoding = headers.get("content-transfer-encoding")?.[0]?.toLowerCase();
  const text =
    encoding === "base64"
      ? Buffer.from(body, "base64").toString("utf8")
      : encoding === "quoted-printable"
        ? Buffer.from(
            body
              .replace(/=\r\n/g, "")
              .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
            "latin1",
          ).toString("utf8")
        : body;
  return { headers, text: text.replaceAll("\r\n", "\n") };
}

/** Encoded words of RFC 2047. */
function decodeWords(value: string): string {
  return value
    .replace(/(\?=)\s+(?==\?)/g, "$1")
    .replace(/=\?utf-8\?(q|b)\?([^?]*)\?=/gi, (_, kind: string, text: string) =>
      kind.toLowerCase() === "b"
        ? Buffer.from(text, "base64").toString("utf8")
        : Buffer.from(
            text
              .replaceAll("_", " ")
              .replace(/=([0-9A-F]{2})/gi, (__, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
            "latin1",
          ).toString("utf8"),
    );
}
