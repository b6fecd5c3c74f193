// What can go wrong, as three errors; no message of them holds a credential.
import { XMLParser } from "fast-xml-parser";
import type { CiError } from "calloff-clients/tencent-ci";
import type { DliError, GatewayError, SqlCancelResult } from "calloff-clients/otc-dli";

/** What a service may tell in a body. */
export type Told = CiError | DliError | GatewayError | SqlCancelResult;

// #region errors
/**
 * The service said no: by a 4xx, a redirect, or a failure inside a 200. `body` is what it told, where it keeps to the
 * contract.
 */
export class RefusedError<Body = Told> extends Error {
  override readonly name = "RefusedError";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly requestId: string,
    readonly body: Body | undefined,
  ) {
    super(said("the service refused with", status, code));
  }
}

/** No answer, or none that decides: whether the job is being cancelled only its state can tell. */
export class UnknownOutcomeError extends Error {
  override readonly name: string = "UnknownOutcomeError";

  constructor(readonly reason: string) {
    super(`whether the cancel was accepted is not known: ${reason}`);
  }
}

/**
 * The service answered, neither yes nor no: with a 5xx, which may have come after the cancel was done, or with a 2xx
 * that is not in the contract.
 */
export class UnclearAnswerError<Body = Told> extends UnknownOutcomeError {
  override readonly name = "UnclearAnswerError";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly requestId: string,
    readonly body: Body | undefined,
  ) {
    super(said("the service answered with", status, code));
  }
}
// #endregion

/** Leaves out a code that would forge a line of a log. */
function said(what: string, status: number, code: string): string {
  return /^[!-~]{1,64}$/.test(code) ? `${what} ${status} ${code}` : `${what} ${status}`;
}

/** Tells a refusal from an answer that leaves the outcome unknown. */
export function judged<Body>(
  status: number,
  code: string,
  requestId: string,
  body: Body | undefined,
): RefusedError<Body> | UnclearAnswerError<Body> {
  const unclear = status < 300 || status >= 500;
  return new (unclear ? UnclearAnswerError : RefusedError)(status, code, requestId, body);
}

/** What was given cannot be sent; nothing was. */
export class InvalidArgumentError extends TypeError {
  override readonly name = "InvalidArgumentError";
}

// #region xml
/** Reads an XML error of CI. A document type is refused, so an answer defines no entities. */
export function ciError(text: string): CiError | undefined {
  // The parser does not mind an end that is not there.
  if (text.includes("<!DOCTYPE") || !text.trimEnd().endsWith("</Error>")) return undefined;
  try {
    // A reference by number, such as `&#39;`, is an HTML entity to this parser.
    const parser = new XMLParser({ parseTagValue: false, htmlEntities: true });
    const parsed: unknown = parser.parse(text);
    const error = isRecord(parsed) ? parsed["Error"] : undefined;
    return hasTexts(error, "Code", "Message", "RequestId", "TraceId") ? error : undefined;
  } catch {
    return undefined;
  }
}
// #endregion

/** Recognises an error of DLI, or of the gateway before it, which has a `request_id` as well. */
export function dliError(value: unknown): DliError | GatewayError | undefined {
  return hasTexts(value, "error_code", "error_msg") ? value : undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasTexts<Name extends string>(
  value: unknown,
  ...names: Name[]
): value is Record<Name, string> & Record<string, unknown> {
  return isRecord(value) && names.every((name) => typeof value[name] === "string");
}
