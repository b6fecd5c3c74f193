package calloff.consumer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import calloff.clients.otcdli.BatchCancelResult;
import calloff.clients.tencentci.CiError;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** All five cancels on a running mock: accepted, and refused with the vendor's error. */
class MockTest {
  private final Mock mock;

  MockTest() throws IOException {
    mock = Mock.announced();
  }

  private String cancelOfCi(String name, CiKey key, String job) throws CancelException {
    TencentCi ci = new TencentCi(mock.connection("tencent-ci"), key);
    return name.equals("cancelAiJob") ? ci.cancelAiJob(job) : ci.cancelInventoryTriggerJob(job);
  }

  private static List<String> headers(JsonNode request) {
    return StreamSupport.stream(request.get("headers").spliterator(), false)
        .map(JsonNode::asText)
        .toList();
  }

  @ParameterizedTest
  @CsvSource({
    "cancelInventoryTriggerJob, good",
    "cancelInventoryTriggerJob, temporary",
    "cancelAiJob, good",
    "cancelAiJob, temporary"
  })
  void aJobOfCiIsCancelled(String name, String kind) throws Exception {
    String operation = "tencent-ci/" + name;
    String job = mock.createJob(operation, "Submitted");
    CiKey key = mock.ciKey(kind);
    mock.forgetRequests();

    String requestId = cancelOfCi(name, key, job);

    JsonNode request = mock.request();
    assertEquals("Cancel", mock.stateOf(operation, job));
    assertEquals("PUT", request.get("method").asText());
    assertTrue(request.get("target").asText().endsWith("/" + job + "?cancel"));
    assertTrue(headers(request).contains("content-length"));
    assertEquals(kind.equals("temporary"), headers(request).contains("x-ci-security-token"));
    assertEquals(request.get("request_id").asText(), requestId);
  }

  @ParameterizedTest
  @ValueSource(strings = {"cancelInventoryTriggerJob", "cancelAiJob"})
  void aFinishedJobOfCiIsRefusedInXml(String name) throws Exception {
    String job = mock.createJob("tencent-ci/" + name, "Success");
    CiKey key = mock.ciKey("good");

    var refused = assertThrows(RefusedException.class, () -> cancelOfCi(name, key, job));

    assertEquals(403, refused.status());
    assertEquals("AccessDenied", refused.code());
    assertNotEquals("", refused.requestId());
    assertEquals(
        Optional.of(refused.requestId()), refused.body(CiError.class).map(CiError::getRequestId));
    assertEquals("Success", mock.stateOf("tencent-ci/" + name, job));
  }

  @Test
  void anotherKeyIsRefused() throws Exception {
    String job = mock.createJob("tencent-ci/cancelAiJob", "Submitted");
    CiKey key = new CiKey(mock.ciKey("good").secretId(), "another");

    var refused = assertThrows(RefusedException.class, () -> cancelOfCi("cancelAiJob", key, job));

    assertEquals(401, refused.status());
    assertEquals("InvalidAuthorization", refused.code());
    assertEquals("Submitted", mock.stateOf("tencent-ci/cancelAiJob", job));
  }

  /** The operations of DLI, with the states that matter. */
  enum Operation {
    OTC_BATCH("otc-dli/cancelBatchJob", "running", "dead", "success"),
    OTC_SQL("otc-dli/cancelSqlJob", "RUNNING", "CANCELLED", "FINISHED"),
    HUAWEI_CLOUD_SQL("huaweicloud-dli/cancelSqlJob", "RUNNING", "CANCELLED", "FINISHED");

    final String key;
    final String open;
    final String ended;
    final String finished;

    Operation(String key, String open, String ended, String finished) {
      this.key = key;
      this.open = open;
      this.ended = ended;
      this.finished = finished;
    }

    String api() {
      return key.replaceFirst("/.*", "");
    }

    /** Cancels a job; returns the word of success. */
    Object cancel(Mock mock, DliCredential credential, String job) throws CancelException {
      Connection connection = mock.connection(api());
      String project = mock.project(api());
      return switch (this) {
        case OTC_BATCH -> {
          BatchCancelResult result =
              new OtcDli(connection, project, credential).cancelBatchJob(job);
          yield result.getMsg().equals("deleted");
        }
        case OTC_SQL ->
            new OtcDli(connection, project, credential).cancelSqlJob(job).getIsSuccess();
        case HUAWEI_CLOUD_SQL ->
            new HuaweiCloudDli(connection, project, credential).cancelSqlJob(job).getIsSuccess();
      };
    }
  }

  private void isCancelled(Operation operation, String kind) throws Exception {
    String job = mock.createJob(operation.key, operation.open);
    DliCredential credential = mock.dliCredential(operation.api(), kind);
    mock.forgetRequests();

    assertEquals(true, operation.cancel(mock, credential, job));

    JsonNode request = mock.request();
    assertEquals(operation.ended, mock.stateOf(operation.key, job));
    assertEquals("DELETE", request.get("method").asText());
    assertEquals(kind.equals("token"), headers(request).contains("x-auth-token"));
    assertEquals(!kind.equals("token"), headers(request).contains("authorization"));
    assertEquals(kind.equals("temporary"), headers(request).contains("x-security-token"));
  }

  @ParameterizedTest
  @EnumSource
  void aJobOfDliIsCancelledWithAToken(Operation operation) throws Exception {
    isCancelled(operation, "token");
  }

  @ParameterizedTest
  @EnumSource
  void aJobOfDliIsCancelledWithAKey(Operation operation) throws Exception {
    isCancelled(operation, "good");
  }

  @ParameterizedTest
  @EnumSource
  void aJobOfDliIsCancelledWithATemporaryKey(Operation operation) throws Exception {
    isCancelled(operation, "temporary");
  }

  @ParameterizedTest
  @EnumSource
  void aFinishedJobIsRefusedByDli(Operation operation) throws Exception {
    String job = mock.createJob(operation.key, operation.finished);
    DliCredential token = mock.dliCredential(operation.api(), "token");

    var refused = assertThrows(RefusedException.class, () -> operation.cancel(mock, token, job));

    assertEquals(400, refused.status());
    assertEquals("DLI.0007", refused.code());
    assertNotEquals("", refused.requestId());
    assertEquals("DliError", refused.body(Object.class).orElseThrow().getClass().getSimpleName());
  }

  @ParameterizedTest
  @EnumSource
  void anExpiredTokenIsRefusedByTheGateway(Operation operation) throws Exception {
    String job = mock.createJob(operation.key, operation.open);
    DliCredential token = mock.dliCredential(operation.api(), "expired-token");

    var refused = assertThrows(RefusedException.class, () -> operation.cancel(mock, token, job));

    assertEquals(401, refused.status());
    assertTrue(refused.code().matches("APIGW?\\..*"));
    assertEquals(
        "GatewayError", refused.body(Object.class).orElseThrow().getClass().getSimpleName());
    assertEquals(operation.open, mock.stateOf(operation.key, job));
  }

  private Wait.Reader reader(String operation, String kind) throws Exception {
    String api = operation.replaceFirst("/.*", "");
    Connection connection = mock.connection(api);
    if (api.equals("tencent-ci")) {
      TencentCi ci = new TencentCi(connection, mock.ciKey(kind));
      return operation.endsWith("/cancelAiJob") ? ci::aiJob : ci::inventoryTriggerJob;
    }
    DliCredential credential = mock.dliCredential(api, kind);
    if (api.equals("huaweicloud-dli")) {
      return new HuaweiCloudDli(connection, mock.project(api), credential)::sqlJobStatus;
    }
    OtcDli otc = new OtcDli(connection, mock.project(api), credential);
    return operation.endsWith("/cancelBatchJob") ? otc::batchJobState : otc::sqlJobStatus;
  }

  @ParameterizedTest
  @CsvSource({
    "tencent-ci/cancelInventoryTriggerJob, Submitted, Cancel",
    "tencent-ci/cancelAiJob, Submitted, Cancel",
    "otc-dli/cancelBatchJob, running, dead",
    "otc-dli/cancelSqlJob, RUNNING, CANCELLED",
    "huaweicloud-dli/cancelSqlJob, RUNNING, CANCELLED"
  })
  void aStateIsReadAndThatOfAnUnknownJobRefused(String operation, String open, String cancelled)
      throws Exception {
    for (String kind : List.of("good", "temporary")) {
      Wait.Reader read = reader(operation, kind);

      JobState going = read.of(mock.createJob(operation, open));
      JobState ended = read.of(mock.createJob(operation, cancelled));

      assertEquals(new JobState(open, false, going.requestId()), going);
      assertEquals(new JobState(cancelled, true, ended.requestId()), ended);
      assertNotEquals("", ended.requestId());
      var refused =
          assertThrows(
              RefusedException.class, () -> read.of("6d2146a0-c2d5-41bd-8ca0-000000000000"));
      assertEquals(operation.startsWith("tencent-ci/") ? 200 : 400, refused.status());
      assertTrue(refused.getMessage().endsWith(", request " + refused.requestId()));
    }
  }

  @ParameterizedTest
  @EnumSource
  void theStateDecidesAfterAnUnclearAnswer(Operation operation) throws Exception {
    String job = mock.createJob(operation.key, operation.open);
    DliCredential token = mock.dliCredential(operation.api(), "token");
    Wait.Cancel lost =
        id -> {
          operation.cancel(mock, token, id);
          throw new UnknownOutcomeException("the connection failed");
        };
    var wait = new Wait(Duration.ofMinutes(1), Duration.ofMillis(1));

    JobState ended = wait.cancelAndWait(lost, reader(operation.key, "token"), job);

    assertEquals(new JobState(operation.ended, true, ended.requestId()), ended);
  }
}
