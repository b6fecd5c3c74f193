// All five cancels on a running mock: accepted, and refused with the vendor's error.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { huaweiCloudDli, otcDli, type DliCredential } from "../src/dli.js";
import { RefusedError, UnknownOutcomeError } from "../src/errors.js";
import { Secret } from "../src/secret.js";
import { cancelAndWait } from "../src/state.js";
import { tencentCi, type CiKey } from "../src/tencent-ci.js";
import { apis, createJob, credentials, sent, stateOf } from "./mock.js";

const need = (value: string | undefined) => {
  assert.ok(value !== undefined);
  return value;
};

async function ciKey(kind = "good"): Promise<CiKey> {
  const keys = await credentials("tencent-ci", kind);
  const key = {
    secretId: need(keys.secret_id),
    secretKey: new Secret(need(keys.secret_key)),
  };
  return keys.security_token === undefined
    ? key
    : { ...key, token: new Secret(keys.security_token) };
}

async function dliCredential(api: string, kind: string): Promise<DliCredential> {
  const keys = await credentials(api, kind);
  if (keys.token !== undefined) return { token: new Secret(keys.token) };
  const key = {
    accessKey: need(keys.access_key),
    secretKey: new Secret(need(keys.secret_key)),
  };
  return keys.security_token === undefined
    ? key
    : { ...key, securityToken: new Secret(keys.security_token) };
}

const ci = (key: CiKey) => tencentCi({ endpoint: apis["tencent-ci"].base_url }, key);
const project = (api: "otc-dli" | "huaweicloud-dli") => ({
  endpoint: apis[api].base_url,
  projectId: need(apis[api].project_id),
});
const otc = (credential: DliCredential) => otcDli(project("otc-dli"), credential);
const huaweicloud = (credential: DliCredential) =>
  huaweiCloudDli(project("huaweicloud-dli"), credential);

async function refusal(call: Promise<unknown>): Promise<RefusedError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof RefusedError, String(error));
    return error as RefusedError;
  }
  return assert.fail("it was accepted");
}

suite("tencent-ci", () => {
  for (const name of ["cancelInventoryTriggerJob", "cancelAiJob"] as const) {
    const operation = `tencent-ci/${name}`;
    for (const kind of ["good", "temporary"]) {
      test(`${name} with a ${kind} key`, async () => {
        const job = await createJob(operation, "Submitted");
        const client = ci(await ciKey(kind));

        const [entry, ...others] = await sent(async () => {
          const { requestId } = await client[name](job);
          assert.notEqual(requestId, "");
        });

        assert.equal(await stateOf(operation, job), "Cancel");
        assert.deepEqual(others, []);
        assert.equal(entry?.method, "PUT");
        assert.ok(entry.target.endsWith(`/${job}?cancel`));
        assert.ok(entry.headers.includes("content-length"));
        assert.equal(entry.headers.includes("x-ci-security-token"), kind === "temporary");
      });
    }

    test(`${name} of a finished job is refused in XML`, async () => {
      const job = await createJob(operation, "Success");

      const refused = await refusal(ci(await ciKey())[name](job));

      assert.equal(refused.status, 403);
      assert.equal(refused.code, "AccessDenied");
      assert.notEqual(refused.requestId, "");
      assert.ok(refused.body !== undefined && "Code" in refused.body);
      assert.equal(refused.body.RequestId, refused.requestId);
      assert.equal(await stateOf(operation, job), "Success");
    });
  }

  test("another key is refused", async () => {
    const job = await createJob("tencent-ci/cancelAiJob", "Submitted");
    const key = { ...(await ciKey()), secretKey: new Secret("another") }; // pragma: allowlist secret

    const refused = await refusal(ci(key).cancelAiJob(job));

    assert.deepEqual([refused.status, refused.code], [401, "InvalidAuthorization"]);
    assert.equal(await stateOf("tencent-ci/cancelAiJob", job), "Submitted");
  });
});

const DLI = [
  {
    operation: "otc-dli/cancelBatchJob",
    open: "running",
    ended: "dead",
    finished: "success",
    client: otc,
    name: "cancelBatchJob",
  },
  {
    operation: "otc-dli/cancelSqlJob",
    open: "RUNNING",
    ended: "CANCELLED",
    finished: "FINISHED",
    client: otc,
    name: "cancelSqlJob",
  },
  {
    operation: "huaweicloud-dli/cancelSqlJob",
    open: "RUNNING",
    ended: "CANCELLED",
    finished: "FINISHED",
    client: (credential: DliCredential) => ({
      ...otc(credential),
      ...huaweicloud(credential),
    }),
    name: "cancelSqlJob",
  },
] as const;

for (const { operation, open, ended, finished, client, name } of DLI) {
  suite(operation, () => {
    const api = operation.replace(/\/.*/, "");

    for (const kind of ["good", "temporary", "token"]) {
      test(`is accepted with a credential of kind ${kind}`, async () => {
        const job = await createJob(operation, open);
        const cancel = client(await dliCredential(api, kind))[name];

        const [entry, ...others] = await sent(async () => {
          const result = await cancel(job);
          if (name === "cancelSqlJob") assert.equal(result.is_success, true);
          else assert.equal(result.msg, "deleted");
        });

        assert.equal(await stateOf(operation, job), ended);
        assert.deepEqual(others, []);
        assert.equal(entry?.method, "DELETE");
        assert.equal(entry.headers.includes("x-auth-token"), kind === "token");
        assert.equal(entry.headers.includes("authorization"), kind !== "token");
        assert.equal(entry.headers.includes("x-security-token"), kind === "temporary");
      });
    }

    test("of a finished job is refused by DLI", async () => {
      const job = await createJob(operation, finished);

      const refused = await refusal(client(await dliCredential(api, "token"))[name](job));

      assert.deepEqual([refused.status, refused.code], [400, "DLI.0007"]);
      assert.ok(refused.body !== undefined && "error_msg" in refused.body);
      assert.notEqual(refused.requestId, "");
    });

    test("with an expired token is refused by the gateway", async () => {
      const job = await createJob(operation, open);

      const refused = await refusal(client(await dliCredential(api, "expired-token"))[name](job));

      assert.equal(refused.status, 401);
      assert.match(refused.code, /^APIGW?\./);
      assert.ok(refused.body !== undefined && "request_id" in refused.body);
      assert.equal(await stateOf(operation, job), open);
    });
  });
}

const UNKNOWN = "6d2146a0-c2d5-41bd-8ca0-000000000000";
const ciClient = async (kind = "good") => ci(await ciKey(kind));
const otcClient = async (kind = "token") => otc(await dliCredential("otc-dli", kind));
const huaweicloudClient = async (kind = "token") =>
  huaweicloud(await dliCredential("huaweicloud-dli", kind));

const KINDS = [
  {
    operation: "tencent-ci/cancelInventoryTriggerJob",
    states: { Submitted: false, Cancel: true, Success: true },
    cancel: async () => (await ciClient()).cancelInventoryTriggerJob,
    read: async (kind?: string) => (await ciClient(kind)).inventoryTriggerJob,
  },
  {
    operation: "tencent-ci/cancelAiJob",
    states: { Submitted: false, Cancel: true, Failed: true },
    cancel: async () => (await ciClient()).cancelAiJob,
    read: async (kind?: string) => (await ciClient(kind)).aiJob,
  },
  {
    operation: "otc-dli/cancelBatchJob",
    states: { running: false, dead: true, success: true },
    cancel: async () => (await otcClient()).cancelBatchJob,
    read: async (kind?: string) => (await otcClient(kind)).batchJobState,
  },
  {
    operation: "otc-dli/cancelSqlJob",
    states: { RUNNING: false, CANCELLED: true, FINISHED: true },
    cancel: async () => (await otcClient()).cancelSqlJob,
    read: async (kind?: string) => (await otcClient(kind)).sqlJobStatus,
  },
  {
    operation: "huaweicloud-dli/cancelSqlJob",
    states: { RUNNING: false, CANCELLED: true, FINISHED: true },
    cancel: async () => (await huaweicloudClient()).cancelSqlJob,
    read: async (kind?: string) => (await huaweicloudClient(kind)).sqlJobStatus,
  },
];

for (const { operation, states, cancel, read } of KINDS) {
  const [open = "", cancelled] = Object.keys(states);

  suite(`the state of ${operation}`, () => {
    for (const kind of ["good", "temporary"]) {
      test(`is read with a ${kind} key`, async () => {
        const reader = await read(kind);
        for (const [state, final] of Object.entries(states)) {
          const told = await reader(await createJob(operation, state));

          assert.deepEqual([told.state, told.final], [state, final]);
          assert.notEqual(told.requestId, "");
        }
      });
    }

    test("of an unknown job is refused", async () => {
      const { status, message, requestId } = await refusal((await read())(UNKNOWN));

      const ofCi = operation.startsWith("tencent-ci/");
      assert.equal(status, ofCi ? 200 : 400);
      const what = ofCi ? "200, the service knows no such job" : "400 DLI.0002";
      assert.equal(message, `the service refused with ${what}, request ${requestId}`);
    });

    test("decides after an unclear answer", async () => {
      const job = await createJob(operation, open);
      const sent = await cancel();
      const lost = async (id: string) => {
        await sent(id);
        throw new UnknownOutcomeError("the connection failed");
      };
      const signal = new AbortController().signal;

      const ended = await cancelAndWait(lost, await read(), job, { signal, pause: 1 });

      assert.deepEqual([ended.state, ended.final], [cancelled, true]);
    });
  });
}
