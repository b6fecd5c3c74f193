// Cancels jobs of Data Lake Insight, on Open Telekom Cloud and on Huawei Cloud, and reads their states.
import * as huaweicloud from "calloff-clients/huaweicloud-dli";
import * as huaweicloudStatus from "calloff-clients/huaweicloud-dli-status";
import * as otc from "calloff-clients/otc-dli";
import * as otcStatus from "calloff-clients/otc-dli-status";
import {
  dliError,
  isRecord,
  judged,
  RefusedError,
  UnknownOutcomeError,
  UnreadStateError,
  unread,
} from "./errors.js";
import { answer, type Call, checkedId, connect, type Connection, targetOf } from "./http.js";
import { sdkDate, sdkHmacSign } from "./sdk-hmac-sha256.js";
import { checkedWord, type Secret } from "./secret.js";
import { BATCH_STATES, type JobState, SQL_STATES, type States } from "./state.js";

export interface Project extends Connection {
  readonly projectId: string;
}

export type DliCredential =
  | { readonly token: Secret }
  | {
      readonly accessKey: string;
      readonly secretKey: Secret;
      /** Of a temporary key. */
      readonly securityToken?: Secret;
    };

const PROJECT_ID = /^[0-9A-Za-z]{1,64}$/;
const SQL_JOB_ID = /^[0-9A-Za-z-]{1,64}$/;
const BATCH_ID = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;

// #region client
export function otcDli(project: Project, credential: DliCredential) {
  const { client, project_id } = dli(project, credential);
  return {
    /** Accepted, not cancelled: read the state until it is `dead`. */
    cancelBatchJob: async (id: string): Promise<otc.BatchCancelResult> => {
      const batch_id = checkedId("batch id", BATCH_ID, id);
      return accepted(otc.cancelBatchJob({ client, path: { project_id, batch_id } }));
    },
    /** Accepted, not cancelled: read the state until it is `CANCELLED`. */
    cancelSqlJob: async (id: string): Promise<otc.SqlCancelResult> => {
      const job_id = checkedId("job id", SQL_JOB_ID, id);
      return accepted(otc.cancelSqlJob({ client, path: { project_id, job_id } }));
    },
    /** It ends as `dead` whether it was cancelled or failed. */
    batchJobState: async (id: string): Promise<JobState> => {
      const batch_id = checkedId("batch id", BATCH_ID, id);
      const path = { project_id, batch_id };
      return batchState(id, otcStatus.getBatchJobState({ client, path }));
    },
    sqlJobStatus: async (id: string): Promise<JobState> => {
      const job_id = checkedId("job id", SQL_JOB_ID, id);
      const path = { project_id, job_id };
      return sqlState(id, otcStatus.getSqlJobStatus({ client, path }));
    },
  };
}
// #endregion

export function huaweiCloudDli(project: Project, credential: DliCredential) {
  // This cloud demands the header though nothing is sent.
  const { client, project_id } = dli(project, credential, { "Content-Type": "application/json" });
  return {
    /** Accepted, not cancelled: read the state until it is `CANCELLED`. */
    cancelSqlJob: async (id: string): Promise<huaweicloud.SqlCancelResult> => {
      const job_id = checkedId("job id", SQL_JOB_ID, id);
      return accepted(huaweicloud.cancelSqlJob({ client, path: { project_id, job_id } }));
    },
    sqlJobStatus: async (id: string): Promise<JobState> => {
      const job_id = checkedId("job id", SQL_JOB_ID, id);
      const path = { project_id, job_id };
      return sqlState(id, huaweicloudStatus.getSqlJobStatus({ client, path }));
    },
  };
}

function dli(
  project: Project,
  credential: DliCredential,
  headers: Readonly<Record<string, string>> = {},
) {
  if ("accessKey" in credential) checkedWord("accessKey", credential.accessKey);
  const project_id = checkedId("project id", PROJECT_ID, project.projectId);
  return {
    client: connect(project, (request) => ({ ...headers, ...proof(request, credential) })),
    project_id,
  };
}

function proof(request: Request, credential: DliCredential): Record<string, string> {
  if ("token" in credential) return { "X-Auth-Token": credential.token.reveal() };
  const headers: Record<string, string> = { "X-Sdk-Date": sdkDate(new Date()) };
  if (credential.securityToken !== undefined)
    headers["X-Security-Token"] = credential.securityToken.reveal();
  const signed = { Host: new URL(request.url).host, ...headers };
  const Authorization = sdkHmacSign(
    {
      method: request.method,
      target: targetOf(request),
      headers: Object.entries(signed),
    },
    {
      accessKey: credential.accessKey,
      secretKey: credential.secretKey.reveal(),
      signedHeaders: Object.keys(signed),
    },
  );
  return { ...headers, Authorization };
}

// #region answer
async function accepted(call: Call): Promise<otc.SqlCancelResult> {
  const { result, requestId } = await answer200(call);
  return succeeded(result, requestId);
}

/** Anything but true is a failure inside a 200; an answer without the member says nothing either way. */
function succeeded(result: otc.SqlCancelResult, requestId: string): otc.SqlCancelResult {
  if (![undefined, true].includes(result.is_success)) {
    throw new RefusedError(200, "", requestId, result, "is_success is not true");
  }
  return result;
}

async function answer200(call: Call) {
  const { status, headers, content } = await answer(call);
  const requestId = headers.get("x-request-id") ?? "";
  if (status === 200) return { result: parsed(content), requestId };
  const body = dliError(content);
  throw judged(status, body?.error_code ?? "", requestId, body);
}
// #endregion

// #region state
async function sqlState(id: string, call: Call): Promise<JobState> {
  const { result, requestId } = await read(call);
  succeeded(result, requestId);
  const { job_id, status }: otcStatus.SqlJobStatus = result;
  return stateOf(id, job_id, status, SQL_STATES, requestId);
}

async function batchState(id: string, call: Call): Promise<JobState> {
  const { result, requestId } = await read(call);
  const { id: named, state }: otcStatus.BatchState = result;
  // An example of the vendor has a capital, against the vendor's table.
  const lower = String(state).toLowerCase();
  const told = BATCH_STATES.has(lower) ? lower : state;
  return stateOf(id, named, told, BATCH_STATES, requestId);
}

async function read(call: Call) {
  const got = await answer200(call).catch((failure: unknown) => {
    throw unread(failure);
  });
  const body = dliError(got.result);
  if (body === undefined) return got;
  throw new RefusedError(200, body.error_code, got.requestId, body, "an error inside a 200");
}

/** Takes a state for that of the job that was asked for, if the answer names no other. */
function stateOf(
  id: string,
  named: unknown,
  state: unknown,
  states: States,
  requestId: string,
): JobState {
  const same = typeof named === "string" && named.toLowerCase() === id.toLowerCase();
  if ((named !== undefined && !same) || typeof state !== "string" || state === "") {
    throw new UnreadStateError("a 200 without a state of this job");
  }
  return { state, final: states.get(state) ?? false, requestId };
}
// #endregion

function parsed(content: unknown): Record<string, unknown> {
  try {
    const result: unknown = typeof content === "string" ? JSON.parse(content) : content;
    if (isRecord(result)) return result;
  } catch {
    // Told below, without the parser's words.
  }
  throw new UnknownOutcomeError("a 200 without a JSON object");
}
