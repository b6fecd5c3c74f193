// From what is typed into the form to the stages of a signature, by the signers that teams may copy.
import {
  qSign,
  qSignAuthorization,
  qSignKey,
  qSignStages,
} from "../../../contract_tests/consumers/typescript/src/q-sign.js";
import {
  sdkHmacSign,
  sdkHmacStages,
} from "../../../contract_tests/consumers/typescript/src/sdk-hmac-sha256.js";

/** The fields of the form, as text. */
export type Fields = Readonly<Record<string, string>>;

/** Stages by their names in the vectors, in the order in which they are made. */
export type Stages = Record<string, string>;

export const ALGORITHMS: Readonly<Record<string, (fields: Fields) => Stages>> = {
  "q-sign": qStages,
  "sdk-hmac-sha256": (fields) => hmacStages(fields),
  "sdk-hmac-sha256-derived": (fields) => hmacStages(fields, field(fields, "scope")),
};

function qStages(fields: Fields): Stages {
  const request = requestOf(fields);
  const [start, end] = [seconds(fields, "start"), seconds(fields, "end")];
  const keyTime = `${start};${end}`;
  const lists = {
    headers: listed(fields, "signed_headers"),
    parameters: listed(fields, "signed_parameters"),
  };
  const [secretId, secretKey] = [field(fields, "key_id"), field(fields, "secret_key")];
  const given = field(fields, "sign_key");
  if (!/^([0-9a-f]{40})?$/.test(given)) {
    throw new TypeError("a SignKey is 40 hexadecimal digits in lower case");
  }
  const signKey = given || qSignKey(secretKey, keyTime);
  const stages = qSignStages(request, signKey, keyTime, lists);
  return {
    sign_key: signKey,
    http_string: stages.httpString,
    http_string_sha1: stages.httpStringSha1,
    string_to_sign: stages.stringToSign,
    signature: stages.signature,
    authorization: given
      ? qSignAuthorization(secretId, keyTime, lists, stages.signature)
      : qSign(request, { secretId, secretKey, start, end, lists }),
  };
}

function hmacStages(fields: Fields, scope?: string): Stages {
  const request = { ...requestOf(fields), body: field(fields, "body") };
  const [accessKey, secretKey] = [field(fields, "key_id"), field(fields, "secret_key")];
  const signedHeaders = listed(fields, "signed_headers");
  const stages = sdkHmacStages(request, secretKey, signedHeaders, scope);
  return {
    canonical_request: stages.canonicalRequest,
    canonical_request_sha256: stages.canonicalRequestSha256,
    string_to_sign: stages.stringToSign,
    ...(typeof stages.signKey === "string" ? {} : { sign_key: stages.signKey.toString("hex") }),
    signature: stages.signature,
    authorization: sdkHmacSign(request, {
      accessKey,
      secretKey,
      signedHeaders,
      ...(scope === undefined ? {} : { scope }),
    }),
  };
}

function requestOf(fields: Fields) {
  const headers = field(fields, "headers")
    .split("\n")
    .filter((line) => line !== "")
    .map((line): readonly [string, string] => {
      const colon = line.indexOf(":");
      if (colon < 1) throw new TypeError(`a header is written "Name: value", not "${line}"`);
      return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
    });
  const [method, target] = [field(fields, "method"), field(fields, "target")];
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(method)) throw new TypeError("the method is one word, as PUT");
  if (!target.startsWith("/")) {
    throw new TypeError('path and query begin with "/"; scheme and host are no part of them');
  }
  return { method, target, headers };
}

/** Says why a request is not signed. */
export function reason(error: unknown): string {
  // What decodeURIComponent throws says neither where nor what.
  if (error instanceof URIError) return 'a "%" in path or query begins no character of UTF-8';
  return error instanceof Error ? error.message : String(error);
}

function field(fields: Fields, name: string): string {
  const text = fields[name] ?? "";
  // An encoder would put another character in its place and sign that.
  if (/\p{Surrogate}/u.test(text)) throw new TypeError(`${name} holds half of a character`);
  return text;
}

const listed = (fields: Fields, name: string) =>
  field(fields, name)
    .split(";")
    .filter((one) => one !== "");

function seconds(fields: Fields, name: string): number {
  const text = field(fields, name);
  if (!/^\d{1,15}$/.test(text)) throw new TypeError(`${name} is a time in whole Unix seconds`);
  return Number(text);
}

/** Says which stage *text* agrees with, or where it leaves the one that it is most like. */
export function compared(text: string, stages: Stages): string {
  const agreeing = Object.keys(stages).find((name) => stages[name] === text);
  if (agreeing !== undefined) return `Yours agrees with ${agreeing}.`;
  const scored = Object.entries(stages).map(
    ([name, stage]) => [common(text, stage), name, stage] as const,
  );
  const [at, name, stage] = scored.reduce((best, one) => (one[0] > best[0] ? one : best));
  if (at === 0) return "Yours agrees with no stage, not even in its first character.";
  const before = stage.slice(0, at).split("\n");
  const column = (before.at(-1)?.length ?? 0) + 1;
  return (
    `Yours is most like ${name}: it differs from line ${before.length}, character ${column} on. ` +
    `There stands ${quoted(stage, at)}; yours has ${quoted(text, at)}.`
  );
}

function common(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

const quoted = (text: string, at: number) =>
  at < text.length ? JSON.stringify(text.slice(at, at + 12)) : "nothing more";
