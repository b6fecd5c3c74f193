package calloff.consumer;

import java.util.List;
import java.util.Map;

/**
 * Cancels jobs, or reads their states: {@code OPERATION JOB_ID...}; where and as whom stands in the
 * environment.
 *
 * <p>Ends with 0 when all were accepted, with 1 at the first that was not, with 2 where nothing can
 * be sent.
 */
public final class Main {
  private Main() {}

  private interface Start {
    Wait.Cancel client();
  }

  // #region use
  private static final Map<String, Start> OPERATIONS =
      Map.of(
          "tencent-ci/cancelInventoryTriggerJob", () -> ci()::cancelInventoryTriggerJob,
          "tencent-ci/cancelAiJob", () -> ci()::cancelAiJob,
          "otc-dli/cancelBatchJob", () -> otc()::cancelBatchJob,
          "otc-dli/cancelSqlJob", () -> otc()::cancelSqlJob,
          "huaweicloud-dli/cancelSqlJob", () -> huaweiCloud()::cancelSqlJob,
          "tencent-ci/describeInventoryTriggerJob", () -> ci()::inventoryTriggerJob,
          "tencent-ci/describeAiJob", () -> ci()::aiJob,
          "otc-dli/getBatchJobState", () -> otc()::batchJobState,
          "otc-dli/getSqlJobStatus", () -> otc()::sqlJobStatus,
          "huaweicloud-dli/getSqlJobStatus", () -> huaweiCloud()::sqlJobStatus);

  private static TencentCi ci() {
    return new TencentCi(connection(), new CiKey(need("KEY_ID"), need("SECRET_KEY")));
  }

  private static OtcDli otc() {
    return new OtcDli(connection(), need("PROJECT_ID"), credential());
  }

  private static HuaweiCloudDli huaweiCloud() {
    return new HuaweiCloudDli(connection(), need("PROJECT_ID"), credential());
  }

  private static Connection connection() {
    return new Connection(need("ENDPOINT"));
  }

  private static DliCredential credential() {
    String token = System.getenv("TOKEN");
    return token == null
        ? new DliCredential.AccessKey(need("KEY_ID"), need("SECRET_KEY"))
        : new DliCredential.Token(token);
  }

  // #endregion

  private static String need(String name) {
    String value = System.getenv(name);
    if (value == null) {
      throw new IllegalArgumentException("set " + name);
    }
    return value;
  }

  private static void run(List<String> arguments) throws CancelException {
    Start start = arguments.isEmpty() ? null : OPERATIONS.get(arguments.get(0));
    if (start == null) {
      throw new IllegalArgumentException(
          "the operation must be one of " + String.join(", ", OPERATIONS.keySet()));
    }
    Wait.Cancel call = start.client();
    for (String id : arguments.subList(1, arguments.size())) {
      String told =
          call.of(id) instanceof JobState job
              ? job.state().replaceAll("[^!-~]", "?") + " final=" + job.isFinal()
              : "accepted";
      System.out.println(id + " " + told);
    }
  }

  public static void main(String[] arguments) {
    try {
      run(List.of(arguments));
    } catch (CancelException | IllegalArgumentException e) {
      System.err.println(e.getClass().getSimpleName() + ": " + e.getMessage());
      System.exit(e instanceof CancelException ? 1 : 2);
    }
  }
}
