// Signs requests as Tencent Cloud COS and CI demand (q-sign-algorithm=sha1). Copy this file: it needs Node.js alone.
// Rules: https://www.tencentcloud.com/document/product/436/7778
import { createHash, createHmac } from "node:crypto";

/** A request as it will be on the wire; `target` is path and query, percent-encoded. */
export interface QSignRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What is protected by the signature: plain names, in any order and case. */
export interface QSignLists {
  readonly headers: readonly string[];
  readonly parameters: readonly string[];
}

export interface QSignOptions {
  readonly secretId: string;
  readonly secretKey: string;
  /** The signature is valid from `start` to `end`, both in Unix seconds. */
  readonly start: number;
  readonly end: number;
  /** Default: the host and the parameter `cancel`. */
  readonly lists?: QSignLists;
}

/** Returns the value of the header `Authorization`. */
export function qSign(request: QSignRequest, options: QSignOptions): string {
  const { secretId, secretKey, start, end } = options;
  const lists = options.lists ?? { headers: ["host"], parameters: ["cancel"] };
  if (!(Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start < end)) {
    throw new RangeError("a signature must end after it starts, both in whole Unix seconds");
  }
  if (!/^[!-%'-~]+$/.test(secretId) || !/^[ -~]+$/.test(secretKey)) {
    throw new TypeError(
      "secret id and secret key must be printable ASCII; the id without blanks and &",
    );
  }
  const keyTime = `${start};${end}`;
  const { signature } = qSignStages(request, qSignKey(secretKey, keyTime), keyTime, lists);
  return qSignAuthorization(secretId, keyTime, lists, signature);
}

/** The key of one validity: as secret as the secret key while that lasts. */
export function qSignKey(secretKey: string, keyTime: string): string {
  return hmacSha1(secretKey, keyTime);
}

/** Every stage of a signature, for whoever has to find out where two signers disagree. */
export function qSignStages(
  request: QSignRequest,
  signKey: string,
  keyTime: string,
  lists: QSignLists,
) {
  const [path = "", query = ""] = split(request.target, "?");
  const parameters = query
    .split("&")
    .filter((piece) => piece !== "")
    .map((piece) => split(piece, "=").map(decodeURIComponent))
    .map(([name = "", value = ""]) => [name, value] as const);
  const headers = request.headers.map(([name, value]) => [name, trimmed(value)] as const);
  const httpString = [
    request.method.toLowerCase(),
    decodeURIComponent(path),
    selected("parameter", parameters, lists.parameters),
    selected("header", headers, lists.headers),
    "",
  ].join("\n");
  const httpStringSha1 = createHash("sha1").update(httpString).digest("hex");
  const stringToSign = `sha1\n${keyTime}\n${httpStringSha1}\n`;
  // The key is the hexadecimal text, not the bytes that it stands for.
  return {
    httpString,
    httpStringSha1,
    stringToSign,
    signature: hmacSha1(signKey, stringToSign),
  };
}

export function qSignAuthorization(
  secretId: string,
  keyTime: string,
  lists: QSignLists,
  signature: string,
): string {
  return [
    "q-sign-algorithm=sha1",
    `q-ak=${secretId}`,
    `q-sign-time=${keyTime}`,
    `q-key-time=${keyTime}`,
    `q-header-list=${listed(lists.headers).join(";")}`,
    `q-url-param-list=${listed(lists.parameters).join(";")}`,
    `q-signature=${signature}`,
  ].join("&");
}

/** Writes the listed pairs, sorted; refuses to sign what is not there exactly once. */
function selected(
  kind: string,
  pairs: readonly (readonly [string, string])[],
  names: readonly string[],
): string {
  return listed(names)
    .map((name) => {
      const [found, ...others] = pairs.filter(([other]) => lowered(other) === name);
      if (found === undefined || others.length > 0) {
        throw new TypeError(`${kind} ${name} is to be signed and must be in the request once`);
      }
      return `${name}=${encoded(found[1])}`;
    })
    .join("&");
}

const listed = (names: readonly string[]) => [...new Set(names.map(lowered))].sort();

const lowered = (name: string) => encoded(name).toLowerCase();

const encoded = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

const trimmed = (value: string) => value.replace(/^[ \t]+|[ \t]+$/g, "");

function split(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

const hmacSha1 = (key: string, text: string) => createHmac("sha1", key).update(text).digest("hex");
