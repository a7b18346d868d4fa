import { createHash } from "node:crypto";

const SECRET_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789~._-";

/** A seeded source of numbers. Never used for anything that must be secret outside a simulation. */
export interface Random {
  /** Next number in [0, 1). */
  next(): number;
  /** Next integer in [min, max], both ends included. */
  integer(min: number, max: number): number;
  /** Next number in [range[0], range[1]). */
  between(range: readonly [number, number]): number;
  /** True with the given probability. */
  chance(probability: number): boolean;
  /** One element of a non-empty list. */
  pick<T>(items: readonly T[]): T;
  /** A copy of the list in another order. */
  shuffle<T>(items: readonly T[]): T[];
  /** `length` lower-case hex digits. */
  hex(length: number): string;
  /** A version 4 shaped GUID. */
  uuid(): string;
  /** A client secret as the directory generates them: printable, may hold `~ . _ -`. */
  secret(length: number): string;
}

/**
 * A stream of seeded numbers. Streams of one seed with different names are independent, so that one more
 * request on one surface does not change what happens on another.
 */
export function createRandom(seed: number, stream: string): Random {
  const digest = createHash("sha256").update(`${seed}\n${stream}`).digest();
  let a = digest.readInt32LE(0);
  let b = digest.readInt32LE(4);
  let c = digest.readInt32LE(8);
  let counter = 1;
  // sfc32, public domain (PractRand); good enough and short.
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 4294967296;
  };
  for (let round = 0; round < 12; round += 1) next();

  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  const hex = (length: number): string => {
    let text = "";
    while (text.length < length) text += integer(0, 15).toString(16);
    return text;
  };
  const pick = <T>(items: readonly T[]): T => {
    const item = items[integer(0, items.length - 1)];
    if (item === undefined) throw new RangeError("pick: expected a non-empty list");
    return item;
  };
  return {
    next,
    integer,
    between: ([min, max]) => min + next() * (max - min),
    chance: (probability) => probability > 0 && next() < probability,
    pick,
    shuffle: (items) => {
      const copy = [...items];
      for (let i = copy.length - 1; i > 0; i -= 1) {
        const j = integer(0, i);
        const held = copy[i] as (typeof copy)[number];
        copy[i] = copy[j] as (typeof copy)[number];
        copy[j] = held;
      }
      return copy;
    },
    hex,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${pick(["8", "9", "a", "b"])}${hex(3)}-${hex(12)}`,
    secret: (length) => Array.from({ length }, () => SECRET_ALPHABET[integer(0, SECRET_ALPHABET.length - 1)]).join(""),
  };
}
