// node dist/src/main.js OPERATION JOB_ID...: cancels jobs; where and as whom stands in the environment.
import { huaweiCloudDli, otcDli, type DliCredential } from "./dli.js";
import { InvalidArgumentError } from "./errors.js";
import { tencentCi } from "./tencent-ci.js";

function need(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new InvalidArgumentError(`set ${name}`);
  return value;
}

// #region use
const endpoint = () => ({ endpoint: need("ENDPOINT") });
const ci = () =>
  tencentCi(endpoint(), {
    secretId: need("KEY_ID"),
    secretKey: need("SECRET_KEY"),
  });
const project = () => ({ ...endpoint(), projectId: need("PROJECT_ID") });
const credential = (): DliCredential =>
  process.env["TOKEN"] === undefined
    ? { accessKey: need("KEY_ID"), secretKey: need("SECRET_KEY") }
    : { token: process.env["TOKEN"] };

const OPERATIONS: Record<string, () => (id: string) => Promise<unknown>> = {
  "tencent-ci/cancelInventoryTriggerJob": () => ci().cancelInventoryTriggerJob,
  "tencent-ci/cancelAiJob": () => ci().cancelAiJob,
  "otc-dli/cancelBatchJob": () => otcDli(project(), credential()).cancelBatchJob,
  "otc-dli/cancelSqlJob": () => otcDli(project(), credential()).cancelSqlJob,
  "huaweicloud-dli/cancelSqlJob": () => huaweiCloudDli(project(), credential()).cancelSqlJob,
};
// #endregion

async function main(operation = "", ...ids: string[]): Promise<void> {
  const start = OPERATIONS[operation];
  if (start === undefined) {
    throw new InvalidArgumentError(
      `the operation must be one of ${Object.keys(OPERATIONS).join(", ")}`,
    );
  }
  const cancel = start();
  for (const id of ids) {
    await cancel(id);
    console.log(`${id} accepted`);
  }
}

try {
  await main(...process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? `${error.name}: ${error.message}` : "it failed");
  process.exitCode = error instanceof InvalidArgumentError ? 2 : 1;
}
