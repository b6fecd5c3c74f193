package calloff.consumer;

import calloff.clients.ApiClient;
import calloff.clients.otcdli.BatchCancelResult;
import calloff.clients.otcdli.DliError;
import calloff.clients.otcdli.GatewayError;
import calloff.clients.otcdli.SparkJobsApi;
import calloff.clients.otcdli.SparkJobsApi.APICancelBatchJobRequest;
import calloff.clients.otcdli.SqlCancelResult;
import calloff.clients.otcdli.SqlJobsApi;
import calloff.clients.otcdli.SqlJobsApi.APICancelSqlJobRequest;
import java.util.Map;

/** Cancels jobs of Data Lake Insight on Open Telekom Cloud. */
public final class OtcDli {
  private static final Dli.Errors<DliError, GatewayError> ERRORS =
      new Dli.Errors<>(
          DliError.class, DliError::getErrorCode, GatewayError.class, GatewayError::getErrorCode);

  private final SparkJobsApi sparkJobs;
  private final SqlJobsApi sqlJobs;
  private final String project;

  public OtcDli(Connection connection, String project, DliCredential credential) {
    this.project = Checks.id("project id", Dli.PROJECT_ID, project);
    ApiClient client = Dli.connect(connection, credential, Map.of());
    sparkJobs = new SparkJobsApi(client);
    sqlJobs = new SqlJobsApi(client);
  }

  // #region client
  /** Accepted, not cancelled: read the state of the job until it is {@code dead}. */
  public BatchCancelResult cancelBatchJob(String id) throws CancelException {
    Checks.id("batch id", Dli.BATCH_ID, id);
    var request = APICancelBatchJobRequest.newBuilder().projectId(project).batchId(id).build();
    return ERRORS.accepted(() -> sparkJobs.cancelBatchJobWithHttpInfo(request));
  }

  /** Accepted, not cancelled: read the state of the job until it is {@code CANCELLED}. */
  public SqlCancelResult cancelSqlJob(String id) throws CancelException {
    Checks.id("job id", Dli.SQL_JOB_ID, id);
    var request = APICancelSqlJobRequest.newBuilder().projectId(project).jobId(id).build();
    return ERRORS.succeeded(
        () -> sqlJobs.cancelSqlJobWithHttpInfo(request), SqlCancelResult::getIsSuccess);
  }
  // #endregion
}
