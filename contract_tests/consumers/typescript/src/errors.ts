// What can go wrong, as three errors; no message of them holds a credential.
import { XMLParser } from "fast-xml-parser";
import type { CiError } from "calloff-clients/tencent-ci";
import type { DliError, GatewayError, SqlCancelResult } from "calloff-clients/otc-dli";

/** An error of the contract, of which the service may have left out all but the code. */
type Partly<Body, Code extends keyof Body> = Pick<Body, Code> & Partial<Body>;

/** What a service may tell in a body. */
export type Told =
  | Partly<CiError, "Code">
  | Partly<DliError, "error_code">
  | Partly<GatewayError, "error_code">
  | SqlCancelResult;

// #region errors
/**
 * The service said no: by a 4xx, a redirect, or a failure inside a 200. The status decides, so a 4xx whose body cannot
 * be read is one too. `body` is what it told, where it keeps to the contract; `reason` says what the refusal is where
 * neither status nor code does.
 */
export class RefusedError<Body = Told> extends Error {
  override readonly name = "RefusedError";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly requestId: string,
    readonly body: Body | undefined,
    readonly reason = "",
  ) {
    super(said("the service refused with", status, code, requestId, reason));
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
    super(said("the service answered with", status, code, requestId));
  }
}
// #endregion

/** The state of a job could not be read. Nothing was changed: ask again. `status` is 0 without an answer. */
export class UnreadStateError extends Error {
  override readonly name = "UnreadStateError";

  constructor(
    readonly reason: string,
    readonly status = 0,
    readonly requestId = "",
  ) {
    super(`the state of the job could not be read, ask again: ${reason}`);
  }
}

/** Makes of what a cancel throws what reading throws. */
export function unread(failure: unknown): unknown {
  if (failure instanceof UnclearAnswerError) {
    return new UnreadStateError(failure.reason, failure.status, failure.requestId);
  }
  return failure instanceof UnknownOutcomeError ? new UnreadStateError(failure.reason) : failure;
}

/** Leaves out words of the service that would forge a line of a log. */
function said(what: string, status: number, code: string, requestId: string, reason = ""): string {
  const word = /^[!-~]{1,64}$/;
  return [
    word.test(code) ? `${what} ${status} ${code}` : `${what} ${status}`,
    ...(reason === "" ? [] : [reason]),
    ...(word.test(requestId) ? [`request ${requestId}`] : []),
  ].join(", ");
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
/** Reads an XML error of CI; one that tells no more than its code is one. */
export function ciError(text: string): Partly<CiError, "Code"> | undefined {
  const error = xmlElement(text, "Error");
  return hasTexts(error, ["Code"], ["Message", "RequestId", "TraceId"]) ? error : undefined;
}

/** Reads the one element of an answer. A document type is refused, so an answer defines no entities. */
export function xmlElement(text: string, name: string): Record<string, unknown> | undefined {
  // The parser does not mind an end that is not there.
  if (text.includes("<!DOCTYPE") || !text.trimEnd().endsWith(`</${name}>`)) return undefined;
  try {
    // A reference by number, such as `&#39;`, is an HTML entity to this parser.
    const parser = new XMLParser({ parseTagValue: false, htmlEntities: true });
    const parsed: unknown = parser.parse(text);
    const element = isRecord(parsed) ? parsed[name] : undefined;
    return isRecord(element) ? element : undefined;
  } catch {
    return undefined;
  }
}
// #endregion

/** Recognises an error of DLI, or of the gateway before it, which has a `request_id` as well. */
export function dliError(
  value: unknown,
): Partly<DliError, "error_code"> | Partly<GatewayError, "error_code"> | undefined {
  return hasTexts(value, ["error_code"], ["error_msg", "request_id"]) ? value : undefined;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function hasTexts<Name extends string, Other extends string>(
  value: unknown,
  names: readonly Name[],
  others: readonly Other[],
): value is Record<Name, string> & Partial<Record<Other, string>> & Record<string, unknown> {
  return (
    isRecord(value) &&
    names.every((name) => typeof value[name] === "string") &&
    others.every((name) => ["string", "undefined"].includes(typeof value[name]))
  );
}
