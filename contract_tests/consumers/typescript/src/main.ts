// node dist/src/main.js OPERATION JOB_ID...: cancels jobs, or reads their states; where and as whom stands in the
// environment.
import { huaweiCloudDli, otcDli, type DliCredential } from "./dli.js";
import { InvalidArgumentError } from "./errors.js";
import { Secret } from "./secret.js";
import { type JobState } from "./state.js";
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
    secretKey: new Secret(need("SECRET_KEY")),
  });
const project = () => ({ ...endpoint(), projectId: need("PROJECT_ID") });
const credential = (): DliCredential =>
  process.env["TOKEN"] === undefined
    ? { accessKey: need("KEY_ID"), secretKey: new Secret(need("SECRET_KEY")) }
    : { token: new Secret(process.env["TOKEN"]) };

const CANCELS: Record<string, () => (id: string) => Promise<unknown>> = {
  "tencent-ci/cancelInventoryTriggerJob": () => ci().cancelInventoryTriggerJob,
  "tencent-ci/cancelAiJob": () => ci().cancelAiJob,
  "otc-dli/cancelBatchJob": () => otcDli(project(), credential()).cancelBatchJob,
  "otc-dli/cancelSqlJob": () => otcDli(project(), credential()).cancelSqlJob,
  "huaweicloud-dli/cancelSqlJob": () => huaweiCloudDli(project(), credential()).cancelSqlJob,
};
const READS: Record<string, () => (id: string) => Promise<JobState>> = {
  "tencent-ci/describeInventoryTriggerJob": () => ci().inventoryTriggerJob,
  "tencent-ci/describeAiJob": () => ci().aiJob,
  "otc-dli/getBatchJobState": () => otcDli(project(), credential()).batchJobState,
  "otc-dli/getSqlJobStatus": () => otcDli(project(), credential()).sqlJobStatus,
  "huaweicloud-dli/getSqlJobStatus": () => huaweiCloudDli(project(), credential()).sqlJobStatus,
};
// #endregion

async function main(operation = "", ...ids: string[]): Promise<void> {
  const cancel = CANCELS[operation]?.();
  const read = READS[operation]?.();
  if (cancel === undefined && read === undefined) {
    const names = Object.keys({ ...CANCELS, ...READS });
    throw new InvalidArgumentError(`the operation must be one of ${names.join(", ")}`);
  }
  for (const id of ids) {
    await cancel?.(id);
    const told = await read?.(id);
    const { state, final } = told ?? {};
    console.log(told ? `${id} ${JSON.stringify(state)} final=${String(final)}` : `${id} accepted`);
  }
}

try {
  await main(...process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? `${error.name}: ${error.message}` : "it failed");
  process.exitCode = error instanceof InvalidArgumentError ? 2 : 1;
}
