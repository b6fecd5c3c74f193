// Cancels jobs of Tencent Cloud CI.
import { cancelAiJob, cancelInventoryTriggerJob, type CiError } from "calloff-clients/tencent-ci";
import { ciError, judged, UnknownOutcomeError } from "./errors.js";
import {
  answer,
  type Call,
  checkedId,
  checkedSecret,
  connect,
  type Connection,
  targetOf,
} from "./http.js";
import { qSign } from "./q-sign.js";

export interface CiKey {
  readonly secretId: string;
  readonly secretKey: string;
  /** Of a temporary key. */
  readonly token?: string;
}

/** Accepted, not cancelled: read the state of the job until it is `Cancel`. */
export interface CiAccepted {
  readonly requestId: string;
}

const SIGNATURE_SECONDS = 600;
const JOB_ID = /^[A-Za-z0-9-]{1,64}$/;
const REQUEST_ID = "x-ci-request-id";

/** The endpoint of a bucket, name and APPID: `examplebucket-1250000000`. */
export function ciEndpoint(bucket: string, region: string): string {
  checkedId("bucket", /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?-[0-9]+$/, bucket);
  checkedId("region", /^[a-z0-9-]+$/, region);
  return `https://${bucket}.ci.${region}.myqcloud.com`;
}

export function tencentCi(connection: Connection, key: CiKey) {
  checkedSecret("secretId", key.secretId);
  checkedSecret("secretKey", key.secretKey);
  if (key.token !== undefined) checkedSecret("token", key.token);
  const client = connect(connection, (request) => {
    const now = Math.floor(Date.now() / 1000);
    const headers = { host: new URL(request.url).host, ...tokenOf(key) };
    const Authorization = qSign(
      {
        method: request.method,
        target: targetOf(request),
        headers: Object.entries(headers),
      },
      {
        ...key,
        start: now - 60,
        end: now + SIGNATURE_SECONDS,
        lists: { headers: Object.keys(headers), parameters: ["cancel"] },
      },
    );
    return { ...tokenOf(key), Authorization };
  });
  // No `url` here: the generated functions would let it replace their own.
  const call = (id: string) =>
    ({
      client,
      path: { jobId: checkedId("job id", JOB_ID, id) },
      query: { cancel: "" },
    }) as const;
  return {
    cancelAiJob: async (id: string) => accepted(cancelAiJob(call(id))),
    cancelInventoryTriggerJob: async (id: string) => accepted(cancelInventoryTriggerJob(call(id))),
  };
}

const tokenOf = ({ token }: CiKey) => (token === undefined ? {} : { "x-ci-security-token": token });

async function accepted(call: Call): Promise<CiAccepted> {
  const { status, headers, content } = await answer(call);
  const requestId = headers.get(REQUEST_ID) ?? "";
  if (status === 200 && content === "") return { requestId };
  // An error, or the page of somebody in between.
  if (status === 200)
    throw new UnknownOutcomeError("a 200 with a body, which the document has not");
  const body = typeof content === "string" ? ciError(content) : undefined;
  throw judged<CiError>(status, body?.Code ?? "", requestId, body);
}
