/** What everything we create carries for ever (I3): which run, which attempt, and the nonce of its committed intent. */
export interface Marker {
  readonly run: string;
  readonly attempt: number;
  /** 128 bits, lower-case hex. */
  readonly nonce: string;
}

const form = /^cs:(run_[0-9a-z]{26}):([0-9]{1,6}):([0-9a-f]{32})$/;

/** `cs:<run>:<attempt>:<nonce>`. */
export function formatMarker(marker: Marker): string {
  return `cs:${marker.run}:${marker.attempt}:${marker.nonce}`;
}

/** Reads a marker, or null when `text` is anything else. Whoever can write a display name can forge one: believe it only with its journaled intent. */
export function parseMarker(text: string | null | undefined): Marker | null {
  const match = form.exec(text ?? "");
  if (match === null) return null;
  const [, run = "", attempt = "", nonce = ""] = match;
  return { run, attempt: Number(attempt), nonce };
}
