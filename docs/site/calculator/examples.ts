// The vectors that a signer should be able to make, as fields of the form.
import qSign from "../../../spec/signing/q-sign.json";
import sdkHmac from "../../../spec/signing/sdk-hmac-sha256.json";
import sdkHmacDerived from "../../../spec/signing/sdk-hmac-sha256-derived.json";

interface Vector {
  name: string;
  verdict: string;
  not_for_signers?: string | undefined;
  sender_credentials?: unknown;
  request: { method: string; target: string; headers: string[][]; body: string };
  credentials: {
    secret_id?: string | undefined;
    access_key?: string | undefined;
    secret_key?: string | undefined;
    sign_key?: string | undefined;
  };
  time: { date?: string | undefined; start?: number | undefined; end?: number | undefined };
  scope?: string | undefined;
  signed_headers: string[];
  signed_parameters?: string[] | undefined;
}

/** By algorithm and name; the first is what a client of ours sends for a cancel. */
export const examples: Readonly<Record<string, Readonly<Record<string, Record<string, string>>>>> =
  {
    "q-sign": offered(qSign.cases, "cancel-ai-job"),
    "sdk-hmac-sha256": offered(sdkHmac.cases, "otc-cancel-sql-job"),
    "sdk-hmac-sha256-derived": offered(sdkHmacDerived.cases, "cancel-sql-job-named-scope"),
  };

function offered(cases: Vector[], first: string): Record<string, Record<string, string>> {
  const signed = cases.filter(
    (one) => one.verdict === "valid" && !one.not_for_signers && !one.sender_credentials,
  );
  signed.sort((one, other) => Number(other.name === first) - Number(one.name === first));
  return Object.fromEntries(signed.map((one) => [one.name, fields(one)]));
}

function fields({ request, credentials, time, ...vector }: Vector): Record<string, string> {
  return {
    method: request.method,
    target: request.target,
    headers: request.headers.map(([name, value]) => `${name}: ${value}`).join("\n"),
    body: request.body,
    key_id: credentials.secret_id ?? credentials.access_key ?? "",
    secret_key: credentials.secret_key ?? "",
    sign_key: credentials.sign_key ?? "",
    start: String(time.start ?? ""),
    end: String(time.end ?? ""),
    scope: vector.scope ?? "",
    signed_headers: vector.signed_headers.join(";"),
    signed_parameters: (vector.signed_parameters ?? []).join(";"),
  };
}
