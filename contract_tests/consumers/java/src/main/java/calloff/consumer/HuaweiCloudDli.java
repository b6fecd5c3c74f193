package calloff.consumer;

import calloff.clients.ApiClient;
import calloff.clients.huaweiclouddli.DliError;
import calloff.clients.huaweiclouddli.GatewayError;
import calloff.clients.huaweiclouddli.SqlCancelResult;
import calloff.clients.huaweiclouddli.SqlJobsApi;
import calloff.clients.huaweiclouddli.SqlJobsApi.APICancelSqlJobRequest;
import calloff.clients.huaweiclouddlistatus.SqlJobStatus;
import calloff.clients.huaweiclouddlistatus.SqlJobsApi.APIGetSqlJobStatusRequest;
import java.util.Map;

/** Cancels jobs of Data Lake Insight on Huawei Cloud, and reads their states. */
public final class HuaweiCloudDli {
  private static final Dli.Errors<DliError, GatewayError> ERRORS =
      new Dli.Errors<>(
          DliError.class, DliError::getErrorCode, GatewayError.class, GatewayError::getErrorCode);

  /** This cloud demands it though nothing is sent. */
  private static final Map<String, String> HEADERS = Map.of("Content-Type", "application/json");

  private final SqlJobsApi sqlJobs;
  private final calloff.clients.huaweiclouddlistatus.SqlJobsApi sqlStates;
  private final String project;

  public HuaweiCloudDli(Connection connection, String project, DliCredential credential) {
    this.project = Checks.id("project id", Dli.PROJECT_ID, project);
    ApiClient client = Dli.connect(connection, credential, HEADERS);
    sqlJobs = new SqlJobsApi(client);
    sqlStates = new calloff.clients.huaweiclouddlistatus.SqlJobsApi(client);
  }

  /** Accepted, not cancelled: read the state of the job until it is {@code CANCELLED}. */
  public SqlCancelResult cancelSqlJob(String id) throws CancelException {
    Checks.id("job id", Dli.SQL_JOB_ID, id);
    var request = APICancelSqlJobRequest.newBuilder().projectId(project).jobId(id).build();
    return ERRORS.succeeded(
        () -> sqlJobs.cancelSqlJobWithHttpInfo(request), SqlCancelResult::getIsSuccess);
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
}
