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
import calloff.clients.otcdlistatus.BatchState;
import calloff.clients.otcdlistatus.SparkJobsApi.APIGetBatchJobStateRequest;
import calloff.clients.otcdlistatus.SqlJobStatus;
import calloff.clients.otcdlistatus.SqlJobsApi.APIGetSqlJobStatusRequest;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/** Cancels jobs of Data Lake Insight on Open Telekom Cloud, and reads their states. */
public final class OtcDli {
  private static final Dli.Errors<DliError, GatewayError> ERRORS =
      new Dli.Errors<>(
          DliError.class, DliError::getErrorCode, GatewayError.class, GatewayError::getErrorCode);

  private final SparkJobsApi sparkJobs;
  private final SqlJobsApi sqlJobs;
  private final calloff.clients.otcdlistatus.SparkJobsApi sparkStates;
  private final calloff.clients.otcdlistatus.SqlJobsApi sqlStates;
  private final String project;

  public OtcDli(Connection connection, String project, DliCredential credential) {
    this.project = Checks.id("project id", Dli.PROJECT_ID, project);
    ApiClient client = Dli.connect(connection, credential, Map.of());
    sparkJobs = new SparkJobsApi(client);
    sqlJobs = new SqlJobsApi(client);
    sparkStates = new calloff.clients.otcdlistatus.SparkJobsApi(client);
    sqlStates = new calloff.clients.otcdlistatus.SqlJobsApi(client);
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

  // #region state
  /** Reads the state of a Spark batch. It ends as {@code dead} whether cancelled or failed. */
  public JobState batchJobState(String id) throws CancelException {
    Checks.id("batch id", Dli.BATCH_ID, id);
    var request = APIGetBatchJobStateRequest.newBuilder().projectId(project).batchId(id).build();
    // Other calls about a Spark batch answer is_success false on success.
    var answer =
        ERRORS.read(
            () -> sparkStates.getBatchJobStateWithHttpInfo(request),
            told -> true,
            BatchState::getAdditionalProperties);
    String told = Objects.requireNonNullElse(answer.getData().getState(), "");
    // An example of the vendor has a capital, against the vendor's table.
    String lower = told.toLowerCase(Locale.ROOT);
    String state = JobState.BATCH.containsKey(lower) ? lower : told;
    String named = answer.getData().getId();
    return JobState.of(id, named, state, JobState.BATCH, Dli.requestId(answer));
  }

  /** Reads the state of a SQL job. */
  public JobState sqlJobStatus(String id) throws CancelException {
    Checks.id("job id", Dli.SQL_JOB_ID, id);
    var request = APIGetSqlJobStatusRequest.newBuilder().projectId(project).jobId(id).build();
    var answer =
        ERRORS.read(
            () -> sqlStates.getSqlJobStatusWithHttpInfo(request),
            SqlJobStatus::getIsSuccess,
            SqlJobStatus::getAdditionalProperties);
    var told = answer.getData();
    return JobState.of(id, told.getJobId(), told.getStatus(), JobState.SQL, Dli.requestId(answer));
  }
  // #endregion
}
