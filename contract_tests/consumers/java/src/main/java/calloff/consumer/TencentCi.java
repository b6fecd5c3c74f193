package calloff.consumer;

import calloff.clients.ApiClient;
import calloff.clients.ApiResponse;
import calloff.clients.tencentci.AiJobsApi;
import calloff.clients.tencentci.AiJobsApi.APICancelAiJobRequest;
import calloff.clients.tencentci.BatchJobsApi;
import calloff.clients.tencentci.BatchJobsApi.APICancelInventoryTriggerJobRequest;
import calloff.clients.tencentci.CiError;
import calloff.clients.tencentcistatus.AiJobDetail;
import calloff.clients.tencentcistatus.AiJobsApi.APIDescribeAiJobRequest;
import calloff.clients.tencentcistatus.BatchJobDetail;
import calloff.clients.tencentcistatus.BatchJobsApi.APIDescribeInventoryTriggerJobRequest;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.http.HttpRequest;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;

/** Cancels jobs of Tencent Cloud CI, and reads their states. */
public final class TencentCi {
  private static final Pattern BUCKET = Pattern.compile("[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9]+");
  private static final Pattern REGION = Pattern.compile("[a-z0-9-]+");
  private static final Pattern JOB_ID = Pattern.compile("[A-Za-z0-9-]{1,64}");
  private static final String TOKEN = "x-ci-security-token";
  private static final int SKEW_SECONDS = 60;
  private static final int SIGNATURE_SECONDS = 600;

  private final AiJobsApi aiJobs;
  private final BatchJobsApi batchJobs;
  private final calloff.clients.tencentcistatus.AiJobsApi aiStates;
  private final calloff.clients.tencentcistatus.BatchJobsApi batchStates;

  public TencentCi(Connection connection, CiKey key) {
    // A 200 of CI has no body; one that has is an error, or the page of somebody in between.
    ApiClient client = connection.connect(unsigned -> proof(unsigned, key), 0);
    aiJobs = new AiJobsApi(client);
    batchJobs = new BatchJobsApi(client);
    ApiClient reading = connection.connect(unsigned -> proof(unsigned, key));
    reading.setObjectMapper(new Tree());
    aiStates = new calloff.clients.tencentcistatus.AiJobsApi(reading);
    batchStates = new calloff.clients.tencentcistatus.BatchJobsApi(reading);
  }

  /** Returns the endpoint of a bucket, name and APPID: {@code examplebucket-1250000000}. */
  public static String endpoint(String bucket, String region) {
    Checks.id("bucket", BUCKET, bucket);
    Checks.id("region", REGION, region);
    return "https://" + bucket + ".ci." + region + ".myqcloud.com";
  }

  // #region client
  /**
   * Accepted, not cancelled: read the state of the job until it is {@code Cancel}.
   *
   * @return the id of the request
   */
  public String cancelAiJob(String id) throws CancelException {
    Checks.id("job id", JOB_ID, id);
    var request = APICancelAiJobRequest.newBuilder().jobId(id).cancel("").build();
    return accepted(() -> aiJobs.cancelAiJobWithHttpInfo(request));
  }

  /**
   * Accepted, not cancelled: read the state of the job until it is {@code Cancel}.
   *
   * @return the id of the request
   */
  public String cancelInventoryTriggerJob(String id) throws CancelException {
    Checks.id("job id", JOB_ID, id);
    var request = APICancelInventoryTriggerJobRequest.newBuilder().jobId(id).cancel("").build();
    return accepted(() -> batchJobs.cancelInventoryTriggerJobWithHttpInfo(request));
  }

  // #endregion

  // #region state
  /** Reads the state of an AI job. */
  public JobState aiJob(String id) throws CancelException {
    Checks.id("job id", JOB_ID, id);
    var request = APIDescribeAiJobRequest.newBuilder().jobId(id).build();
    var answer = read(() -> aiStates.describeAiJobWithHttpInfo(request));
    var told = answer.getData();
    var jobs = Optional.ofNullable(told.getJobsDetail()).orElse(List.of());
    var job = jobs.size() == 1 ? jobs.get(0) : new AiJobDetail();
    return state(id, told.getNonExistJobIds(), job.getJobId(), job.getState(), answer);
  }

  /** Reads the state of a batch job. */
  public JobState inventoryTriggerJob(String id) throws CancelException {
    Checks.id("job id", JOB_ID, id);
    var request = APIDescribeInventoryTriggerJobRequest.newBuilder().jobId(id).build();
    var answer = read(() -> batchStates.describeInventoryTriggerJobWithHttpInfo(request));
    var told = answer.getData();
    var job = Optional.ofNullable(told.getJobsDetail()).orElseGet(BatchJobDetail::new);
    return state(id, told.getNonExistJobIds(), job.getJobId(), job.getState(), answer);
  }

  /** That it knows no such job CI says in a 200. */
  private static JobState state(
      String id, String unknown, String named, String state, ApiResponse<?> answer)
      throws CancelException {
    String requestId = requestId(answer.getHeaders());
    if (id.equals(unknown)) {
      throw new RefusedException("for it knows no such job", 200, "", requestId, null);
    }
    return JobState.of(id, named, state, JobState.CI, requestId);
  }

  // #endregion

  private static <T> ApiResponse<T> read(Connection.Call<T> call) throws CancelException {
    try {
      ApiResponse<T> answer = Connection.answer(call, TencentCi::failure);
      if (answer.getData() != null) {
        return answer;
      }
    } catch (UnknownOutcomeException e) {
      throw e.unread();
    }
    throw new UnreadStateException("a 200 without the XML of the document", 0, "", "");
  }

  /** Reads, for a generated client, an answer that is XML: of a job what tells its state. */
  private static final class Tree extends ObjectMapper {
    private static final long serialVersionUID = 1;

    Tree() {
      enable(DeserializationFeature.ACCEPT_SINGLE_VALUE_AS_ARRAY);
    }

    @Override
    public ObjectMapper copy() {
      return new Tree();
    }

    @Override
    public <T> T readValue(String text, TypeReference<T> type) throws JsonProcessingException {
      Map<String, Object> told = XmlErrors.element(text, "Response");
      if (told.get("JobsDetail") instanceof Map<?, ?> job) {
        job.keySet().retainAll(Set.of("JobId", "State"));
      }
      return readValue(writeValueAsString(told), getTypeFactory().constructType(type));
    }
  }

  private static String accepted(Connection.Call<Void> call) throws CancelException {
    ApiResponse<Void> answer = Connection.answer(call, TencentCi::failure);
    return requestId(answer.getHeaders());
  }

  private static CancelException failure(
      int status, Map<String, List<String>> headers, String body) {
    Optional<CiError> error = XmlErrors.ciError(body);
    return CancelException.of(
        status, error.map(CiError::getCode).orElse(""), requestId(headers), error.orElse(null));
  }

  private static String requestId(Map<String, List<String>> headers) {
    return Connection.header(headers, "x-ci-request-id");
  }

  private static Map<String, String> proof(HttpRequest unsigned, CiKey key) {
    Map<String, String> signed = new LinkedHashMap<>();
    signed.put("host", Connection.host(unsigned));
    key.token().ifPresent(token -> signed.put(TOKEN, token));
    long now = Instant.now().getEpochSecond();
    String authorization =
        QSign.authorization(
            new QSign.Request(
                unsigned.method(), Connection.target(unsigned), List.copyOf(signed.entrySet())),
            key.secretId(),
            key.secretKey(),
            now - SKEW_SECONDS,
            now + SIGNATURE_SECONDS,
            new QSign.Signed(
                signed.keySet(),
                unsigned.uri().getRawQuery() == null ? List.of() : List.of("cancel")));
    Map<String, String> headers = new LinkedHashMap<>(signed);
    headers.remove("host");
    headers.put("Authorization", authorization);
    return headers;
  }
}
