// What the signers take from Node.js, for a browser: hashes at once, not as promises, of text in UTF-8.
import { hmac } from "@noble/hashes/hmac.js";
import { sha1 } from "@noble/hashes/legacy.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js";

const HASHES = { sha1, sha256 };

/** Bytes that write themselves in hexadecimal. */
class Digest extends Uint8Array {
  override toString(): string {
    return bytesToHex(this);
  }
}

function answering(bytesOf: (text: string) => Uint8Array) {
  return {
    update: (text: string) => {
      const bytes = bytesOf(text);
      function digest(): Buffer;
      function digest(encoding: "hex"): string;
      function digest(encoding?: "hex"): Buffer | string {
        return encoding === "hex" ? bytesToHex(bytes) : new Digest(bytes);
      }
      return { digest };
    },
  };
}

export const createHash = (name: keyof typeof HASHES) =>
  answering((text) => HASHES[name](utf8ToBytes(text)));

export const createHmac = (name: keyof typeof HASHES, key: string | Uint8Array) =>
  answering((text) =>
    hmac(HASHES[name], typeof key === "string" ? utf8ToBytes(key) : key, utf8ToBytes(text)),
  );

const NodeBuffer = {
  from: utf8ToBytes,
  compare(one: Uint8Array, other: Uint8Array): number {
    const at = one.findIndex((byte, index) => byte !== other[index]);
    return at < 0 ? one.length - other.length : (one[at] ?? 0) - (other[at] ?? -1);
  },
};

export { NodeBuffer as Buffer };

declare global {
  interface Buffer extends Uint8Array {
    toString(encoding?: "hex"): string;
  }
  var Buffer: typeof NodeBuffer;
}
