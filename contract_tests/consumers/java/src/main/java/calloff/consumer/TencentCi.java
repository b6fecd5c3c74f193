package calloff.consumer;

import calloff.clients.ApiClient;
import calloff.clients.ApiResponse;
import calloff.clients.tencentci.AiJobsApi;
import calloff.clients.tencentci.AiJobsApi.APICancelAiJobRequest;
import calloff.clients.tencentci.BatchJobsApi;
import calloff.clients.tencentci.BatchJobsApi.APICancelInventoryTriggerJobRequest;
import calloff.clients.tencentci.CiError;
import java.net.http.HttpRequest;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;

/** Cancels jobs of Tencent Cloud CI. */
public final class TencentCi {
  private static final Pattern BUCKET = Pattern.compile("[a-z0-9]([a-z0-9-]*[a-z0-9])?-[0-9]+");
  private static final Pattern REGION = Pattern.compile("[a-z0-9-]+");
  private static final Pattern JOB_ID = Pattern.compile("[A-Za-z0-9-]{1,64}");
  private static final String TOKEN = "x-ci-security-token";
  private static final int SKEW_SECONDS = 60;
  private static final int SIGNATURE_SECONDS = 600;

  private final AiJobsApi aiJobs;
  private final BatchJobsApi batchJobs;

  public TencentCi(Connection connection, CiKey key) {
    // A 200 of CI has no body; one that has is an error, or the page of somebody in between.
    ApiClient client = connection.connect(unsigned -> proof(unsigned, key), 0);
    aiJobs = new AiJobsApi(client);
    batchJobs = new BatchJobsApi(client);
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
            new QSign.Signed(signed.keySet(), List.of("cancel")));
    Map<String, String> headers = new LinkedHashMap<>(signed);
    headers.remove("host");
    headers.put("Authorization", authorization);
    return headers;
  }
}
