import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto";
import { connect } from "node:net";
import { errorCode, type Frame, Framer } from "./framing.ts";

const SALTED_MAX = 1000;

/** How to reach a server and as whom. */
export interface PostgresLogin {
  port: number;
  user: string;
  password: string;
  database: string;
  applicationName: string;
  deadlineMs: number;
}

/**
 * Connects to loopback, signs in with SCRAM-SHA-256, asks `select 1`, leaves. Null when it worked, else the SQLSTATE
 * (`08006` when the connection broke). A general client derives the salted password at each login, which is meant to be
 * slow; a workload that signs in thousands of times keeps it.
 */
export function signInOnce(login: PostgresLogin): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(login.port, "127.0.0.1");
    socket.setNoDelay(true);
    const framer = new Framer(true);
    const scram = new ScramExchange(login.password);
    let asked = false;
    const end = (code: string | null): void => {
      clearTimeout(timer);
      socket.destroySoon();
      resolve(code);
    };
    const timer = setTimeout(() => end("08006"), login.deadlineMs);
    const handle = (frame: Frame): void => {
      if (frame.type === "E") end(errorCode(frame));
      else if (frame.type === "R") answerAuthentication(frame, scram, (bytes) => socket.write(bytes), end);
      else if (frame.type === "Z" && !asked) {
        asked = true;
        socket.write(message("Q", Buffer.from("select 1\0")));
      } else if (frame.type === "Z") {
        socket.write(message("X", Buffer.alloc(0)));
        end(null);
      }
    };
    socket.on("connect", () => socket.write(startup(login)));
    socket.on("error", () => end("08006"));
    socket.on("close", () => end("08006"));
    socket.on("data", (chunk: Buffer) => {
      framer.push(chunk);
      for (let frame = framer.next(); frame !== null; frame = framer.next()) handle(frame);
    });
  });
}

function answerAuthentication(
  frame: Frame,
  scram: ScramExchange,
  send: (bytes: Buffer) => void,
  end: (code: string) => void,
): void {
  const kind = frame.bytes.readInt32BE(5);
  const body = frame.bytes.subarray(9).toString("utf8");
  if (kind === 10) {
    const first = Buffer.from(scram.first());
    const size = Buffer.alloc(4);
    size.writeInt32BE(first.length);
    send(message("p", Buffer.from("SCRAM-SHA-256\0"), size, first));
  } else if (kind === 11) send(message("p", Buffer.from(scram.final(body))));
  else if (kind !== 0 && kind !== 12) end("28000");
}

function message(type: string, ...content: Buffer[]): Buffer {
  const body = Buffer.concat(content);
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

function startup({ user, database, applicationName }: PostgresLogin): Buffer {
  const texts = ["user", user, "database", database, "application_name", applicationName, "", ""].join("\0");
  const body = Buffer.from(texts);
  const head = Buffer.alloc(8);
  head.writeInt32BE(body.length + 8);
  head.writeInt32BE(196_608, 4);
  return Buffer.concat([head, body]);
}

/** The client's half of RFC 5802 without channel binding. */
class ScramExchange {
  readonly #password: string;
  readonly #firstBare = `n=,r=${randomBytes(18).toString("base64")}`;

  constructor(password: string) {
    this.#password = password;
  }

  first(): string {
    return `n,,${this.#firstBare}`;
  }

  final(serverFirst: string): string {
    const field = (name: string): string => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(serverFirst)?.[1] ?? "";
    const clientKey = hmac(salted(this.#password, field("s"), Number(field("i"))), "Client Key");
    const withoutProof = `c=biws,r=${field("r")}`;
    const storedKey = createHash("sha256").update(clientKey).digest();
    const signature = hmac(storedKey, `${this.#firstBare},${serverFirst},${withoutProof}`);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] ?? 0)));
    return `${withoutProof},p=${proof.toString("base64")}`;
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

const saltedPasswords = new Map<string, Buffer>();

function salted(password: string, salt: string, iterations: number): Buffer {
  const key = createHash("sha256").update(`${iterations}:${salt}:${password}`).digest("base64");
  const known = saltedPasswords.get(key);
  if (known !== undefined) return known;
  const made = pbkdf2Sync(password, Buffer.from(salt, "base64"), iterations, 32, "sha256");
  if (saltedPasswords.size >= SALTED_MAX) saltedPasswords.clear();
  saltedPasswords.set(key, made);
  return made;
}
