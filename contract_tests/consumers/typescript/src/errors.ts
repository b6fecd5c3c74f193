// What can go wrong, as three errors; no message of them holds a credential.
import { XMLParser } from "fast-xml-parser";
import type { CiError } from "calloff-clients/tencent-ci";
import type { DliError, GatewayError } from "calloff-clients/otc-dli";

/** The service said no. `body` is what it told, where it keeps to the contract. */
export class RefusedError<Body = CiError | DliError | GatewayError> extends Error {
  override readonly name = "RefusedError";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly requestId: string,
    readonly body: Body | undefined,
  ) {
    super(`the service refused with ${status} ${code}`.trimEnd());
  }
}

/** No answer, or none that can be read: whether the job is being cancelled only its state can tell. */
export class UnknownOutcomeError extends Error {
  override readonly name = "UnknownOutcomeError";

  constructor(readonly reason: string) {
    super(`whether the cancel was accepted is not known: ${reason}`);
  }
}

/** What was given cannot be sent; nothing was. */
export class InvalidArgumentError extends TypeError {
  override readonly name = "InvalidArgumentError";
}

// #region xml
/** Reads an XML error of CI. A document type is refused, so there are no entities but the five of XML. */
export function ciError(text: string): CiError | undefined {
  if (text.includes("<!DOCTYPE")) return undefined;
  try {
    const parsed: unknown = new XMLParser({ parseTagValue: false }).parse(text);
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
