/** Control characters, line and paragraph separators, and everything that turns or hides the direction of writing. */
const hidden =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]+/gu;

/**
 * One line of text for a message: names come from outside and may try to look like another message, break a header or
 * hide what they say. At most `charsMax` characters, a cut one ends in an ellipsis.
 */
export function plainText(value: unknown, charsMax: number): string {
  const text = (typeof value === "string" ? value : (JSON.stringify(value) ?? "")).replace(hidden, " ").trim();
  const chars = Array.from(text);
  return chars.length <= charsMax ? text : `${chars.slice(0, charsMax - 1).join("")}…`;
}

/** Text within Slack's mrkdwn: its three control characters (Slack docs, formatting text: escaping). */
export function slackText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
