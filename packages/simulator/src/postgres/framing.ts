/** A message of the PostgreSQL protocol (version 3): its type byte ("" before the startup is over) and all its bytes. */
export interface Frame {
  type: string;
  bytes: Buffer;
}

const FRAME_BYTES_MAX = 16 * 1024 * 1024;

/** Cuts a byte stream into messages. */
export class Framer {
  #buffer: Buffer = Buffer.alloc(0);
  #typed: boolean;

  /** `typed` is false for what a client sends first: those messages have no type byte. */
  constructor(typed: boolean) {
    this.#typed = typed;
  }

  /** From now on messages carry a type byte. */
  startTyped(): void {
    this.#typed = true;
  }

  push(chunk: Buffer): void {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
  }

  /** The next whole message, or null; throws RangeError on a length that no message has. */
  next(): Frame | null {
    const lengthAt = this.#typed ? 1 : 0;
    if (this.#buffer.length < lengthAt + 4) return null;
    const length = this.#buffer.readInt32BE(lengthAt);
    if (length < 4 || length > FRAME_BYTES_MAX) throw new RangeError(`postgres: unexpected message length ${length}`);
    const end = lengthAt + length;
    if (this.#buffer.length < end) return null;
    const bytes = this.#buffer.subarray(0, end);
    this.#buffer = this.#buffer.subarray(end);
    return { type: this.#typed ? String.fromCharCode(bytes[0] ?? 0) : "", bytes };
  }
}

/** Protocol numbers of untyped messages. */
export const SSL_REQUEST = 80_877_103;
export const GSS_REQUEST = 80_877_104;
export const CANCEL_REQUEST = 80_877_102;

/** Parameters of a startup message: `user`, `database`, `application_name`… */
export function startupParameters(bytes: Buffer): Map<string, string> {
  const texts = bytes.subarray(8).toString("utf8").split("\0");
  const parameters = new Map<string, string>();
  for (let i = 0; i + 1 < texts.length && texts[i] !== ""; i += 2)
    parameters.set(String(texts[i]), String(texts[i + 1]));
  return parameters;
}

/** SQL text of a Query (`Q`) or Parse (`P`) message. */
export function sqlText(frame: Frame): string {
  const texts = frame.bytes.subarray(5).toString("utf8").split("\0");
  return (frame.type === "Q" ? texts[0] : texts[1]) ?? "";
}

/** SQLSTATE of an ErrorResponse. */
export function errorCode(frame: Frame): string {
  const fields = frame.bytes.subarray(5).toString("utf8").split("\0");
  return fields.find((field) => field.startsWith("C"))?.slice(1) ?? "XX000";
}

/** A FATAL ErrorResponse: the connection ends after it. */
export function fatalError(code: string, message: string): Buffer {
  return errorResponse("FATAL", code, message);
}

/** ErrorResponse of one statement, and that the connection is ready again: `status` I = idle, E = in a failed transaction. */
export function statementError(code: string, message: string, status: "I" | "E"): Buffer {
  return Buffer.concat([errorResponse("ERROR", code, message), Buffer.from([0x5a, 0, 0, 0, 5, status.charCodeAt(0)])]);
}

function errorResponse(severity: string, code: string, message: string): Buffer {
  const body = Buffer.from(`S${severity}\0V${severity}\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write("E");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const QUOTED_AFTER_PASSWORD = /(\bpassword\s+)(e?'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\3\$)/gi;
const VERIFIER = /SCRAM-SHA-256\$[^'"\s]*|md5[0-9a-f]{32}/gi;

/** SQL without passwords and verifiers, cut to a length fit for a log. */
export function blankSecrets(sql: string): string {
  return sql.replaceAll(QUOTED_AFTER_PASSWORD, "$1'***'").replaceAll(VERIFIER, "***").slice(0, 4000);
}
