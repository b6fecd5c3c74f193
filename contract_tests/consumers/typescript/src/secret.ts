// Keeps what proves who asks out of logs.
import { InvalidArgumentError } from "./errors.js";

// #region secret
/** Shown by nothing that writes objects: `console.log`, `util.inspect`, `JSON.stringify`, template strings. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = checkedWord("a secret", text);
  }

  reveal(): string {
    return this.#text;
  }

  toJSON(): string {
    return "[secret]";
  }
}
// #endregion

/** Refuses what no header can carry, before `fetch` does, which would quote it. */
export function checkedWord(what: string, value: string): string {
  if (!/^[!-~]+$/.test(value)) {
    throw new InvalidArgumentError(`${what} must be printable ASCII without blanks, and not empty`);
  }
  return value;
}
