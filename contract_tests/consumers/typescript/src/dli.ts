// Cancels jobs of Data Lake Insight, on Open Telekom Cloud and on Huawei Cloud.
import * as huaweicloud from "calloff-clients/huaweicloud-dli";
import * as otc from "calloff-clients/otc-dli";
import { dliError, isRecord, judged, RefusedError, UnknownOutcomeError } from "./errors.js";
import {
  answer,
  type Call,
  checkedId,
  checkedSecret,
  connect,
  type Connection,
  targetOf,
} from "./http.js";
import { sdkDate, sdkHmacSign } from "./sdk-hmac-sha256.js";

export interface Project extends Connection {
  readonly projectId: string;
}

export type DliCredential =
  | { readonly token: string }
  | {
      readonly accessKey: string;
      readonly secretKey: string;
      /** Of a temporary key. */
      readonly securityToken?: string;
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
  };
}

function dli(
  project: Project,
  credential: DliCredential,
  headers: Readonly<Record<string, string>> = {},
) {
  for (const [name, value] of Object.entries(credential)) checkedSecret(name, value);
  const project_id = checkedId("project id", PROJECT_ID, project.projectId);
  return {
    client: connect(project, (request) => ({ ...headers, ...proof(request, credential) })),
    project_id,
  };
}

function proof(request: Request, credential: DliCredential): Record<string, string> {
  if ("token" in credential) return { "X-Auth-Token": credential.token };
  const headers: Record<string, string> = { "X-Sdk-Date": sdkDate(new Date()) };
  if (credential.securityToken !== undefined)
    headers["X-Security-Token"] = credential.securityToken;
  const signed = { Host: new URL(request.url).host, ...headers };
  const Authorization = sdkHmacSign(
    {
      method: request.method,
      target: targetOf(request),
      headers: Object.entries(signed),
    },
    { ...credential, signedHeaders: Object.keys(signed) },
  );
  return { ...headers, Authorization };
}

// #region answer
async function accepted(call: Call): Promise<otc.SqlCancelResult> {
  const { status, headers, content } = await answer(call);
  const requestId = headers.get("x-request-id") ?? "";
  if (status !== 200) {
    const body = dliError(content);
    throw judged(status, body?.error_code ?? "", requestId, body);
  }
  const result: otc.SqlCancelResult = parsed(content);
  // Anything but true is a failure inside a 200; an answer without the member says nothing either way.
  if (![undefined, true].includes(result.is_success)) {
    throw new RefusedError(status, "", requestId, result);
  }
  return result;
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
