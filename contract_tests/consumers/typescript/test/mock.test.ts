// All five cancels on a running mock: accepted, and refused with the vendor's error.
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { createClient, createConfig } from "calloff-clients/client";
import { getSqlJobStatus } from "calloff-clients/otc-dli-status";
import { huaweiCloudDli, otcDli, type DliCredential } from "../src/dli.js";
import { RefusedError } from "../src/errors.js";
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
    secretKey: need(keys.secret_key),
  };
  return keys.security_token === undefined ? key : { ...key, token: keys.security_token };
}

async function dliCredential(api: string, kind: string): Promise<DliCredential> {
  const keys = await credentials(api, kind);
  if (keys.token !== undefined) return { token: keys.token };
  const key = {
    accessKey: need(keys.access_key),
    secretKey: need(keys.secret_key),
  };
  return keys.security_token === undefined ? key : { ...key, securityToken: keys.security_token };
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
    const key = { ...(await ciKey()), secretKey: "another" }; // pragma: allowlist secret

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

test("the generated client reads a state", async () => {
  const credential = await dliCredential("otc-dli", "token");
  const job = await createJob("otc-dli/cancelSqlJob", "RUNNING");
  await otc(credential).cancelSqlJob(job);
  const client = createClient(
    createConfig({ baseUrl: apis["otc-dli"].base_url, redirect: "error" }),
  );
  assert.ok("token" in credential);

  const { data } = await getSqlJobStatus({
    client,
    auth: credential.token,
    path: { project_id: need(apis["otc-dli"].project_id), job_id: job },
  });

  assert.equal(data?.status, "CANCELLED");
});
