// Signs requests as Huawei Cloud and Open Telekom Cloud demand (SDK-HMAC-SHA256). Copy this file: it needs Node.js alone.
// Rules: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html
import { createHash, createHmac } from "node:crypto";

/** A request as it will be on the wire; `target` is path and query, percent-encoded. It carries `X-Sdk-Date`. */
export interface SdkHmacRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body?: string;
}

export interface SdkHmacOptions {
  readonly accessKey: string;
  readonly secretKey: string;
  /** Names of the headers to sign, in any order and case. Default: `host` and `x-sdk-date`. */
  readonly signedHeaders?: readonly string[];
  /** Day, region, service and `sdk_request` between slashes: signs in the derived form. Leave it out. */
  readonly scope?: string;
}

/** Writes a moment as `X-Sdk-Date` wants it. */
export function sdkDate(moment: Date): string {
  return moment.toISOString().replace(/[-:]|\.\d+/g, "");
}

function isSdkDate(date: string): boolean {
  const moment = new Date(
    date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"),
  );
  return !Number.isNaN(moment.getTime()) && sdkDate(moment) === date;
}

/** Returns the value of the header `Authorization`. */
export function sdkHmacSign(request: SdkHmacRequest, options: SdkHmacOptions): string {
  const { accessKey, secretKey, scope } = options;
  if (!/^[!-+\--~]+$/.test(accessKey) || !/^[ -~]+$/.test(secretKey)) {
    throw new TypeError(
      "access key and secret key must be printable ASCII; the first without blanks and commas",
    );
  }
  const names = lowered(options.signedHeaders ?? ["host", "x-sdk-date"]);
  const { signature } = sdkHmacStages(request, secretKey, names, scope);
  const who = scope === undefined ? `Access=${accessKey}` : `Credential=${accessKey}/${scope}`;
  return `SDK-HMAC-SHA256 ${who}, SignedHeaders=${names.join(";")}, Signature=${signature}`;
}

/** Every stage of a signature, for whoever has to find out where two signers disagree. */
export function sdkHmacStages(
  request: SdkHmacRequest,
  secretKey: string,
  signedHeaders: readonly string[],
  scope?: string,
) {
  const headers = lowered(signedHeaders).map((name) => [name, once(request, name)] as const);
  const date = headers.find(([name]) => name === "x-sdk-date")?.[1] ?? "";
  if (!isSdkDate(date)) {
    throw new TypeError(
      "X-Sdk-Date must be signed, and be a moment written YYYYMMDDTHHMMSSZ in UTC",
    );
  }
  if (scope !== undefined && !scope.startsWith(`${date.slice(0, 8)}/`)) {
    throw new TypeError("the scope must be of the day of X-Sdk-Date");
  }
  const [path = "", query = ""] = split(request.target, "?");
  const uri = decodeURIComponent(path).split("/").map(encoded).join("/");
  const canonicalRequest = [
    request.method.toUpperCase(),
    uri.endsWith("/") ? uri : `${uri}/`,
    canonicalQuery(query),
    ...headers.map(([name, value]) => `${name}:${value}`),
    "",
    headers.map(([name]) => name).join(";"),
    payloadHash(request),
  ].join("\n");
  const canonicalRequestSha256 = sha256(canonicalRequest);
  const stringToSign = ["SDK-HMAC-SHA256", date, scope, canonicalRequestSha256]
    .filter((line) => line !== undefined)
    .join("\n");
  const signKey = scope === undefined ? secretKey : derivedKey(secretKey, scope);
  const signature = hmacSha256(signKey, stringToSign).toString("hex");
  return {
    canonicalRequest,
    canonicalRequestSha256,
    stringToSign,
    signKey,
    signature,
  };
}

/** Sorted by name, then value, in the order of their UTF-8 bytes, and only then encoded. */
function canonicalQuery(query: string): string {
  return query
    .split("&")
    .filter((piece) => piece !== "")
    .map((piece) => split(piece, "=").map(decodeURIComponent))
    .map(([name = "", value = ""]) => [name, value] as const)
    .sort((one, other) => byBytes(one[0], other[0]) || byBytes(one[1], other[1]))
    .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
    .join("&");
}

function payloadHash(request: SdkHmacRequest): string {
  const unsigned = request.headers.some(
    ([name, value]) =>
      name.toLowerCase() === "x-sdk-content-sha256" && value === "UNSIGNED-PAYLOAD",
  );
  // The official SDK hashes an empty body all the same.
  return unsigned && request.body ? "UNSIGNED-PAYLOAD" : sha256(request.body ?? "");
}

/** Gives the value of a header; refuses to sign what is not there exactly once. */
function once(request: SdkHmacRequest, name: string): string {
  const [found, ...others] = request.headers.filter(([other]) => other.toLowerCase() === name);
  if (found === undefined || others.length > 0 || /[\r\n\0]/.test(found[1])) {
    throw new TypeError(
      `header ${name} is to be signed and must be in the request once, on one line`,
    );
  }
  return found[1].replace(/^[ \t]+|[ \t]+$/g, "");
}

const lowered = (names: readonly string[]) =>
  [...new Set(names.map((name) => name.toLowerCase()))].sort();

const encoded = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );

function split(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

const byBytes = (one: string, other: string) =>
  Buffer.compare(Buffer.from(one), Buffer.from(other));

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

const hmacSha256 = (key: string | Buffer, text: string) =>
  createHmac("sha256", key).update(text).digest();

const derivedKey = (secretKey: string, scope: string) =>
  scope.split("/").reduce<string | Buffer>(hmacSha256, `SDK${secretKey}`);
