package calloff.consumer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import calloff.clients.otcdli.SqlCancelResult;
import calloff.clients.tencentci.CiError;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EmptySource;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What must hold whatever a server does; the servers are here. */
class WireTest {
  private static final CiKey KEY = new CiKey("word-of-the-id", "word-of-the-key");
  private static final DliCredential TOKEN = new DliCredential.Token("word-of-the-token");
  private static final String JOB = "6d2146a0-c2d5-41bd-8ca0-ca9694ada992";
  private static final String CI_ERROR =
      "<Error><Code>TemporaryRedirect</Code><Message>a &amp; b</Message>"
          + "<RequestId>r</RequestId><TraceId>t</TraceId></Error>";
  private static final Duration SHORT = Duration.ofMillis(200);

  private static TencentCi ci(RawServer server) {
    return new TencentCi(new Connection(server.endpoint()), KEY);
  }

  private static OtcDli otc(RawServer server) {
    return new OtcDli(new Connection(server.endpoint()), "p1", TOKEN);
  }

  private static OtcDli impatient(RawServer server) {
    return new OtcDli(new Connection(URI.create(server.endpoint()), SHORT), "p1", TOKEN);
  }

  /** Expects a failure, and no secret in all that is printed of it. */
  private static <T extends Throwable> T failure(Class<T> type, Executable call) {
    T failure = assertThrows(type, call);
    var printed = new StringWriter();
    failure.printStackTrace(new PrintWriter(printed));
    for (String secret : List.of("word-of-the-key", "word-of-the-token")) {
      assertFalse(printed.toString().contains(secret));
    }
    return failure;
  }

  @Test
  void aCancelOfCiCarriesTheParameter() throws Exception {
    try (var server = RawServer.answering("200 OK", "")) {
      ci(server).cancelAiJob("a1");
      ci(server).cancelInventoryTriggerJob("b1");

      assertTrue(server.seen().get(0).startsWith("PUT /ai_jobs/a1?cancel HTTP/1.1\r\n"));
      assertTrue(
          server.seen().get(1).startsWith("PUT /inventorytriggerjob/b1?cancel HTTP/1.1\r\n"));
      for (String head : server.seen()) {
        String host = server.endpoint().replace("http://", "");
        assertTrue(head.contains("\r\nHost: " + host + "\r\n"));
        assertTrue(head.contains("\r\nContent-Length: 0\r\n"));
        assertTrue(head.contains("&q-header-list=host&q-url-param-list=cancel&q-signature="));
        assertFalse(head.toLowerCase(Locale.ROOT).contains("upgrade"));
      }
    }
  }

  @Test
  void aCancelOfDliCarriesTheToken() throws Exception {
    try (var server = RawServer.answering("200 OK", "{}")) {
      otc(server).cancelSqlJob(JOB);

      String head = server.seen().get(0);
      assertTrue(head.startsWith("DELETE /v1.0/p1/jobs/" + JOB + " HTTP/1.1\r\n"));
      assertTrue(head.contains("\r\nX-Auth-Token: word-of-the-token\r\n"));
    }
  }

  @ParameterizedTest
  @NullSource
  @EmptySource
  @ValueSource(strings = {".", "..", "a/b", "../..", "a?b", "a%2Fb", "a\n", "a#", "é"})
  void aHostileIdIsRefusedAndNothingIsSent(String id) throws Exception {
    try (var server = RawServer.answering("200 OK", "{}")) {
      var connection = new Connection(server.endpoint());
      TencentCi ci = ci(server);
      OtcDli otc = otc(server);
      var huaweiCloud = new HuaweiCloudDli(connection, "p1", TOKEN);

      failure(IllegalArgumentException.class, () -> ci.cancelAiJob(id));
      failure(IllegalArgumentException.class, () -> ci.cancelInventoryTriggerJob(id));
      failure(IllegalArgumentException.class, () -> otc.cancelBatchJob(id));
      failure(IllegalArgumentException.class, () -> otc.cancelSqlJob(id));
      failure(IllegalArgumentException.class, () -> huaweiCloud.cancelSqlJob(id));
      failure(IllegalArgumentException.class, () -> new OtcDli(connection, id, TOKEN));
      failure(IllegalArgumentException.class, () -> ci.aiJob(id));
      failure(IllegalArgumentException.class, () -> ci.inventoryTriggerJob(id));
      failure(IllegalArgumentException.class, () -> otc.batchJobState(id));
      failure(IllegalArgumentException.class, () -> otc.sqlJobStatus(id));
      failure(IllegalArgumentException.class, () -> huaweiCloud.sqlJobStatus(id));

      assertEquals(List.of(), server.seen());
    }
  }

  @Test
  void aBucketNamesNoOtherHost() {
    assertEquals(
        "https://examplebucket-1250000000.ci.ap-beijing.myqcloud.com",
        TencentCi.endpoint("examplebucket-1250000000", "ap-beijing"));
    assertThrows(
        IllegalArgumentException.class,
        () -> TencentCi.endpoint("a@evil.example/x-1", "ap-beijing"));
    assertThrows(
        IllegalArgumentException.class, () -> TencentCi.endpoint("a-1", "b.evil.example/"));
  }

  @ParameterizedTest
  @EmptySource
  @ValueSource(
      strings = {
        "a.example",
        "ftp://a.example",
        "https://a.example/b",
        "https://u@a",
        "http://a?b"
      })
  void anEndpointIsNoMoreThanSchemeHostAndPort(String endpoint) {
    assertThrows(IllegalArgumentException.class, () -> new Connection(endpoint));
  }

  @ParameterizedTest
  @EmptySource
  @ValueSource(strings = {"word-of-the-token\n", " word-of-the-token", "word-of-the-tokené"})
  void aCredentialThatCannotBeSentIsNotQuoted(String secret) {
    failure(IllegalArgumentException.class, () -> new DliCredential.Token(secret));
    failure(IllegalArgumentException.class, () -> new DliCredential.AccessKey("a", secret));
    failure(IllegalArgumentException.class, () -> new CiKey("a", secret));
    failure(IllegalArgumentException.class, () -> new CiKey("a", "b", Optional.of(secret)));
  }

  @Test
  void aCredentialIsNotShown() {
    var key = new DliCredential.AccessKey("word-of-the-id", "word-of-the-key");

    assertFalse(List.of(KEY, TOKEN, key).toString().contains("word-of-the"));
  }

  @Test
  void aRedirectIsNotFollowed() throws Exception {
    try (var other = RawServer.answering("200 OK", "{}");
        var server =
            RawServer.answering(
                "307 Temporary Redirect",
                "Location: "
                    + other.endpoint()
                    + "\r\nContent-Length: "
                    + CI_ERROR.length()
                    + "\r\n",
                CI_ERROR)) {
      var refused = failure(RefusedException.class, () -> ci(server).cancelAiJob("a1"));
      var also = failure(RefusedException.class, () -> otc(server).cancelSqlJob(JOB));

      assertEquals(307, refused.status());
      assertEquals("TemporaryRedirect", refused.code());
      assertEquals(Optional.of("a & b"), refused.body(CiError.class).map(CiError::getMessage));
      assertEquals(307, also.status());
      assertEquals(List.of(), other.seen());
    }
  }

  @Test
  void anAnswerThatDoesNotComeLeavesTheOutcomeUnknown() throws Exception {
    try (var server = RawServer.stalling("")) {
      var unknown =
          failure(UnknownOutcomeException.class, () -> impatient(server).cancelSqlJob(JOB));

      assertTrue(unknown.getMessage().endsWith("no answer in time"));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"200 OK"})
  void aBodyThatDoesNotComeLeavesTheOutcomeUnknown(String status) throws Exception {
    try (var server = RawServer.stalling("HTTP/1.1 " + status + "\r\nContent-Length: 9\r\n\r\n{")) {
      var unknown =
          failure(UnknownOutcomeException.class, () -> impatient(server).cancelSqlJob(JOB));

      assertTrue(unknown.getMessage().endsWith("no answer in time"));
    }
  }

  @Test
  void anAnswerThatIsCutOffLeavesTheOutcomeUnknown() throws Exception {
    try (var server = RawServer.answering("200 OK", "Content-Length: 9\r\n", "{")) {
      failure(UnknownOutcomeException.class, () -> otc(server).cancelSqlJob(JOB));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"200 OK", "503 Service Unavailable"})
  void aHugeAnswerLeavesTheOutcomeUnknown(String status) throws Exception {
    try (var server = RawServer.answering(status, "", " ".repeat(2 << 20))) {
      failure(UnknownOutcomeException.class, () -> otc(server).cancelSqlJob(JOB));
      failure(UnknownOutcomeException.class, () -> ci(server).cancelAiJob("a1"));
    }
  }

  @Test
  void aPackedAnswerIsNotUnpacked() throws Exception {
    try (var server =
        RawServer.answering("200 OK", "Content-Encoding: gzip\r\nContent-Length: 2\r\n", "{}")) {
      failure(UnknownOutcomeException.class, () -> otc(server).cancelSqlJob(JOB));
    }
  }

  @ParameterizedTest
  @EmptySource
  @ValueSource(
      strings = {
        "<html></html>",
        "[]",
        "null",
        "{\"is_success\"",
        "{\"is_success\":null}",
        "{\"is_success\":1}",
        "{\"is_success\":\"true\"}",
        "{\"is_success\":\"word-of-the-token\"}",
        "{\"is_success\":false,\"is_success\":true}",
        "{\"is_success\":true} {}"
      })
  void a200OfDliThatCannotBeReadLeavesTheOutcomeUnknown(String body) throws Exception {
    try (var server = RawServer.answering("200 OK", body)) {
      failure(UnknownOutcomeException.class, () -> otc(server).cancelSqlJob(JOB));
    }
  }

  @Test
  void aFailureInsideA200IsARefusal() throws Exception {
    String body = "{\"is_success\":false,\"message\":\"why\"}";
    String headers = "X-Request-Id: r1\r\nContent-Length: " + body.length() + "\r\n";
    try (var server = RawServer.answering("200 OK", headers, body)) {
      var refused = failure(RefusedException.class, () -> otc(server).cancelSqlJob(JOB));

      assertEquals(200, refused.status());
      assertEquals("r1", refused.requestId());
      assertEquals(
          Optional.of("why"), refused.body(SqlCancelResult.class).map(SqlCancelResult::getMessage));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"{}", "{\"message\":\"\",\"new\":1}"})
  void a200OfDliThatSaysNothingAgainstItIsAccepted(String body) throws Exception {
    try (var server = RawServer.answering("200 OK", body)) {
      otc(server).cancelSqlJob(JOB);
    }
  }

  @ParameterizedTest
  @EmptySource
  @ValueSource(
      strings = {
        "<html></html>",
        "<Error>",
        "<Error><Message>m</Message></Error>",
        "{\"error_code\":1}"
      })
  void anErrorThatCannotBeReadIsARefusalWithoutDetails(String body) throws Exception {
    try (var server = RawServer.answering("403 Forbidden", body)) {
      var refused = failure(RefusedException.class, () -> ci(server).cancelAiJob("a1"));
      var also = failure(RefusedException.class, () -> otc(server).cancelSqlJob(JOB));

      assertEquals(403, refused.status());
      assertEquals("", refused.code());
      assertEquals(Optional.empty(), refused.body(Object.class));
      assertEquals(Optional.empty(), also.body(Object.class));
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"202 Accepted", "500 Internal Server Error", "504 Gateway Timeout"})
  void anAnswerThatIsNeitherYesNorNoLeavesTheOutcomeUnknown(String line) throws Exception {
    try (var ofCi = RawServer.answering(line, CI_ERROR);
        var ofDli =
            RawServer.answering(line, "{\"error_code\":\"DLI.0999\",\"error_msg\":\"m\"}")) {
      var unclear = failure(UnknownOutcomeException.class, () -> ci(ofCi).cancelAiJob("a1"));
      var also = failure(UnknownOutcomeException.class, () -> otc(ofDli).cancelSqlJob(JOB));

      int status = Integer.parseInt(line.substring(0, 3));
      assertEquals(List.of(status, status), List.of(unclear.status(), also.status()));
      assertEquals(status < 300 ? "" : "DLI.0999", also.code());
      assertEquals(status >= 300, unclear.body(CiError.class).isPresent());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {CI_ERROR, "<html></html>"})
  void a200OfCiWithABodyLeavesTheOutcomeUnknown(String body) throws Exception {
    try (var server = RawServer.answering("200 OK", body)) {
      failure(UnknownOutcomeException.class, () -> ci(server).cancelAiJob("a1"));
      failure(UnknownOutcomeException.class, () -> ci(server).cancelInventoryTriggerJob("b1"));
    }
  }

  @Test
  void a204LeavesTheOutcomeUnknown() throws Exception {
    try (var server = RawServer.answering("204 No Content", "", "")) {
      assertEquals(
          204, failure(UnknownOutcomeException.class, () -> ci(server).cancelAiJob("a1")).status());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "{"})
  void aRefusalIsOneWhateverBecomesOfItsBody(String body) throws Exception {
    String head = "HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\n";
    try (var stalling = RawServer.stalling(head + body);
        var cut = RawServer.answering("403 Forbidden", "Content-Length: 9\r\n", body);
        var huge = RawServer.answering("403 Forbidden", "", " ".repeat(2 << 20))) {
      for (RawServer server : List.of(stalling, cut, huge)) {
        var refused = failure(RefusedException.class, () -> impatient(server).cancelSqlJob(JOB));

        assertEquals(403, refused.status());
        assertEquals(Optional.empty(), refused.body(Object.class));
      }
    }
  }

  private static List<Executable> reading(RawServer server) {
    var huaweiCloud = new HuaweiCloudDli(new Connection(server.endpoint()), "p1", TOKEN);
    return List.of(
        () -> ci(server).aiJob(JOB),
        () -> ci(server).inventoryTriggerJob(JOB),
        () -> otc(server).batchJobState(JOB),
        () -> otc(server).sqlJobStatus(JOB),
        () -> huaweiCloud.sqlJobStatus(JOB));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "504 Gateway Timeout/",
        "202 Accepted/{}",
        "200 OK/",
        "200 OK/<html></html>",
        "200 OK/{}",
        "200 OK/<Response><RequestId>r</RequestId></Response>",
        "200 OK/{\"job_id\":\"b\",\"id\":\"b\",\"status\":\"FINISHED\",\"state\":\"dead\"}",
        "200 OK/<Response><JobsDetail><JobId>b</JobId><State>Cancel</State></JobsDetail></Response>"
      })
  void aStateThatIsNotToldIsToBeAskedForAgain(String answer) throws Exception {
    String[] parts = answer.split("/", 2);
    try (var server = RawServer.answering(parts[0], parts[1])) {
      for (Executable read : reading(server)) {
        var unread = failure(UnreadStateException.class, read);

        assertFalse(unread.getMessage().contains("cancel"));
      }
    }
  }

  @Test
  void aStateThatDoesNotComeInTimeIsToBeAskedForAgain() throws Exception {
    try (var server = RawServer.stalling("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")) {
      var unread = failure(UnreadStateException.class, () -> impatient(server).sqlJobStatus(JOB));

      assertTrue(unread.getMessage().endsWith("no answer in time"));
    }
  }

  @Test
  void aStateIsNotAskedOfTheHostThatARedirectNames() throws Exception {
    try (var other = RawServer.answering("200 OK", "{}");
        var server =
            RawServer.answering(
                "302 Found", "Content-Length: 0\r\nLocation: " + other.endpoint() + "\r\n", "")) {
      for (Executable read : reading(server)) {
        assertEquals(302, failure(RefusedException.class, read).status());
      }
      assertEquals(List.of(), other.seen());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"is_success\":false,\"status\":\"FINISHED\"}",
        "{\"error_code\":\"DLI.0999\",\"error_msg\":\"m\",\"status\":\"FINISHED\"}"
      })
  void aFailureInsideA200IsNoState(String body) throws Exception {
    try (var server = RawServer.answering("200 OK", body)) {
      failure(RefusedException.class, () -> otc(server).sqlJobStatus(JOB));
    }
  }

  @Test
  void aStateThatNobodyDocumentsIsNotFinal() throws Exception {
    try (var known = RawServer.answering("200 OK", "{\"state\":\"Success\"}");
        var unknown = RawServer.answering("200 OK", "{\"state\":\"New\"}")) {
      assertEquals(new JobState("success", true, ""), otc(known).batchJobState(JOB));
      assertEquals(new JobState("New", false, ""), otc(unknown).batchJobState(JOB));
    }
  }

  @Test
  void anAnswerOfCiMayHaveMembersOfMembers() throws Exception {
    String body =
        "<Response><JobsDetail><Input><Key>k</Key></Input><State>Cancel</State></JobsDetail>"
            + "</Response>";
    try (var server = RawServer.answering("200 OK", body)) {
      assertEquals(new JobState("Cancel", true, ""), ci(server).aiJob("a1"));
      assertEquals(new JobState("Cancel", true, ""), ci(server).inventoryTriggerJob("b1"));
    }
  }

  @Test
  void anXmlErrorMayHaveNoMoreThanItsCode() {
    CiError error = XmlErrors.ciError("<Error><Code>AccessDenied</Code></Error>").orElseThrow();

    assertEquals("AccessDenied", error.getCode());
  }

  @Test
  void stagesAreNotShown() {
    var ofCi = new QSign.Stages("word", "word", "word", "word");
    var ofDli = new SdkHmacSha256.Stages("word", "word", "word", Optional.of("word"), "word");

    assertFalse((ofCi + "" + ofDli).contains("word"));
  }

  @Test
  void aCodeForgesNoLineOfALog() throws Exception {
    String body = "{\"error_code\":\"DLI.0007\\nforged\",\"error_msg\":\"m\"}";
    try (var server = RawServer.answering("400 Bad Request", body)) {
      var refused = failure(RefusedException.class, () -> otc(server).cancelSqlJob(JOB));

      assertEquals("the service refused with 400", refused.getMessage());
      assertEquals("DLI.0007\nforged", refused.code());
    }
  }

  @Test
  void huaweiCloudIsToldTheTypeOfContentThatItDemands() throws Exception {
    var key = new DliCredential.AccessKey("an-id", "word-of-the-key");
    try (var server = RawServer.answering("200 OK", "{}")) {
      for (DliCredential credential : List.of(TOKEN, key)) {
        new HuaweiCloudDli(new Connection(server.endpoint()), "p1", credential).cancelSqlJob(JOB);
      }

      assertEquals(2, server.seen().size());
      for (String head : server.seen()) {
        assertTrue(head.contains("\r\nContent-Type: application/json\r\n"));
      }
    }
  }

  @Test
  void anXmlErrorHasMembersThatNobodyKnows() {
    String members = "<New>1</New><Newer><Inner>2</Inner></Newer><!-- c --></Error>";

    CiError error = XmlErrors.ciError(CI_ERROR.replace("</Error>", members)).orElseThrow();

    assertEquals("1", assertInstanceOf(String.class, error.getAdditionalProperty("New")));
    assertEquals("a & b", error.getMessage());
  }

  @Test
  void anXmlErrorMayBeginWithAByteOrderMark() {
    assertTrue(XmlErrors.ciError("\uFEFF" + CI_ERROR).isPresent());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "<!DOCTYPE Error [<!ENTITY e \"x\">]>",
        "<!DOCTYPE Error SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE Error>"
      })
  void anXmlErrorWithADocumentTypeIsNotRead(String type) {
    assertEquals(Optional.empty(), XmlErrors.ciError(type + CI_ERROR));
    assertEquals(Optional.empty(), XmlErrors.ciError(type + CI_ERROR.replace("a &amp; b", "&e;")));
  }
}
