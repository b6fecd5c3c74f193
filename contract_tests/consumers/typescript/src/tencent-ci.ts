// Cancels jobs of Tencent Cloud CI, and reads their states.
import { cancelAiJob, cancelInventoryTriggerJob } from "calloff-clients/tencent-ci";
import { describeAiJob, describeInventoryTriggerJob } from "calloff-clients/tencent-ci-status";
import {
  ciError,
  isRecord,
  judged,
  RefusedError,
  UnknownOutcomeError,
  UnreadStateError,
  unread,
  xmlElement,
} from "./errors.js";
import {
  answer,
  type Answer,
  type Call,
  checkedId,
  connect,
  type Connection,
  targetOf,
} from "./http.js";
import { qSign } from "./q-sign.js";
import { checkedWord, type Secret } from "./secret.js";
import { CI_STATES, type JobState } from "./state.js";

export interface CiKey {
  readonly secretId: string;
  readonly secretKey: Secret;
  /** Of a temporary key. */
  readonly token?: Secret;
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
  checkedWord("secretId", key.secretId);
  const client = connect(connection, (request) => {
    const now = Math.floor(Date.now() / 1000);
    const { host, searchParams } = new URL(request.url);
    const headers = { host, ...tokenOf(key) };
    const Authorization = qSign(
      {
        method: request.method,
        target: targetOf(request),
        headers: Object.entries(headers),
      },
      {
        secretId: key.secretId,
        secretKey: key.secretKey.reveal(),
        start: now - 60,
        end: now + SIGNATURE_SECONDS,
        lists: { headers: Object.keys(headers), parameters: [...searchParams.keys()] },
      },
    );
    return { ...tokenOf(key), Authorization };
  });
  // No `url` here: the generated functions would let it replace their own.
  const job = (id: string) => ({ client, path: { jobId: checkedId("job id", JOB_ID, id) } });
  const cancel = (id: string) => ({ ...job(id), query: { cancel: "" } }) as const;
  return {
    cancelAiJob: async (id: string) => accepted(cancelAiJob(cancel(id))),
    cancelInventoryTriggerJob: async (id: string) =>
      accepted(cancelInventoryTriggerJob(cancel(id))),
    aiJob: async (id: string) => stateOf(id, describeAiJob(job(id))),
    inventoryTriggerJob: async (id: string) => stateOf(id, describeInventoryTriggerJob(job(id))),
  };
}

const tokenOf = ({ token }: CiKey) =>
  token === undefined ? {} : { "x-ci-security-token": token.reveal() };

async function accepted(call: Call): Promise<CiAccepted> {
  const { content, requestId } = await answer200(call);
  if (content === "") return { requestId };
  // An error, or the page of somebody in between.
  throw new UnknownOutcomeError("a 200 with a body, which the document has not");
}

async function answer200(call: Call): Promise<Answer & { readonly requestId: string }> {
  const got = await answer(call);
  const requestId = got.headers.get(REQUEST_ID) ?? "";
  if (got.status === 200) return { ...got, requestId };
  const body = typeof got.content === "string" ? ciError(got.content) : undefined;
  throw judged(got.status, body?.Code ?? "", requestId, body);
}

/** Reads a state; that it knows no such job CI says in a 200 too. The generated types cannot read the XML. */
async function stateOf(id: string, call: Call): Promise<JobState> {
  try {
    const { status, content, requestId } = await answer200(call);
    const told = typeof content === "string" ? xmlElement(content, "Response") : undefined;
    if (told?.["NonExistJobIds"] === id) {
      const reason = "the service knows no such job";
      throw new RefusedError(status, "", requestId, undefined, reason);
    }
    const job = told?.["JobsDetail"];
    const state = isRecord(job) && (job["JobId"] ?? id) === id ? job["State"] : undefined;
    if (typeof state === "string" && state !== "") {
      return { state, final: CI_STATES.get(state) ?? false, requestId };
    }
  } catch (failure) {
    throw unread(failure);
  }
  throw new UnreadStateError("a 200 without a state of this job");
}
