const hidden = new WeakMap<SecretValue, string>();

/**
 * A credential's value while the executor holds it in memory (invariant I7).
 *
 * It refuses to print: `String(x)`, template literals, `JSON.stringify` and `util.inspect` all give `[secret]`.
 * The only way to the text is {@link SecretValue.reveal}, so every use can be found by searching for that name.
 * We do not claim that memory is wiped: a JavaScript string cannot be.
 */
export class SecretValue {
  private constructor() {}

  /** Wraps `text`. Keep no other reference to it. */
  static of(text: string): SecretValue {
    const value = new SecretValue();
    hidden.set(value, text);
    return value;
  }

  /** The text itself: for the one outside call that needs it, never for a log, an error or a row. */
  reveal(): string {
    const text = hidden.get(this);
    if (text === undefined) throw new TypeError("expected a SecretValue made by SecretValue.of, got an impostor");
    return text;
  }

  /** Compares two values in memory; says match or no match and nothing else. */
  equals(other: SecretValue): boolean {
    return this.reveal() === other.reveal();
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [Symbol.toPrimitive](): string {
    return "[secret]";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "[secret]";
  }
}
