package calloff.consumer;

import calloff.clients.ApiClient;
import calloff.clients.ApiResponse;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.http.HttpRequest;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Pattern;

/** What Data Lake Insight has in common on both clouds. */
final class Dli {
  static final Pattern PROJECT_ID = Pattern.compile("[0-9A-Za-z]{1,64}");
  static final Pattern SQL_JOB_ID = Pattern.compile("[0-9A-Za-z-]{1,64}");
  static final Pattern BATCH_ID =
      Pattern.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}");

  private static final String REQUEST_ID = "x-request-id";
  private static final ObjectMapper MAPPER = Connection.mapper();

  private Dli() {}

  static ApiClient connect(
      Connection connection, DliCredential credential, Map<String, String> headers) {
    return connection.connect(
        unsigned -> {
          Map<String, String> all = new LinkedHashMap<>(headers);
          all.putAll(proof(unsigned, credential));
          return all;
        });
  }

  private static Map<String, String> proof(HttpRequest unsigned, DliCredential credential) {
    if (credential instanceof DliCredential.Token token) {
      return Map.of("X-Auth-Token", token.token());
    }
    DliCredential.AccessKey key = (DliCredential.AccessKey) credential;
    Map<String, String> signed = new LinkedHashMap<>();
    signed.put("Host", Connection.host(unsigned));
    signed.put("X-Sdk-Date", SdkHmacSha256.date(Instant.now()));
    key.securityToken().ifPresent(token -> signed.put("X-Security-Token", token));
    String authorization =
        SdkHmacSha256.authorization(
            new SdkHmacSha256.Request(
                unsigned.method(), Connection.target(unsigned), List.copyOf(signed.entrySet()), ""),
            key.accessKey(),
            key.secretKey(),
            signed.keySet());
    Map<String, String> headers = new LinkedHashMap<>(signed);
    headers.remove("Host");
    headers.put("Authorization", authorization);
    return headers;
  }

  /** What a cloud calls its errors. */
  record Errors<D, G>(
      Class<D> dli,
      Function<D, String> dliCode,
      Class<G> gateway,
      Function<G, String> gatewayCode) {

    /** Reads an error of DLI, or of the gateway before it, which has a request_id as well. */
    CancelException failure(int status, Map<String, List<String>> headers, String body) {
      String requestId = Connection.header(headers, REQUEST_ID);
      try {
        JsonNode tree = MAPPER.readTree(body);
        if (texts(tree, "error_code", "request_id")) {
          G error = MAPPER.treeToValue(tree, gateway);
          return CancelException.of(status, gatewayCode.apply(error), requestId, error);
        }
        if (texts(tree, "error_code")) {
          D error = MAPPER.treeToValue(tree, dli);
          return CancelException.of(status, dliCode.apply(error), requestId, error);
        }
      } catch (JsonProcessingException e) {
        // Refused all the same, without details.
      }
      return CancelException.of(status, "", requestId, null);
    }

    /** Sends a cancel; gives what a 200 told. */
    <T> T accepted(Connection.Call<T> call) throws CancelException {
      return answered(call).getData();
    }

    // #region success
    /** Sends a cancel of a SQL job; a failure inside a 200 is a refusal. */
    <T> T succeeded(Connection.Call<T> call, Function<T, Boolean> isSuccess)
        throws CancelException {
      ApiResponse<T> answer = answered(call);
      // An answer without the member says nothing either way.
      if (Boolean.FALSE.equals(isSuccess.apply(answer.getData()))) {
        throw new RefusedException(
            "is_success is not true", 200, "", requestId(answer), answer.getData());
      }
      return answer.getData();
    }

    // #endregion

    /** Asks for a state; an error inside a 200 is a refusal. */
    <T> ApiResponse<T> read(
        Connection.Call<T> call,
        Function<T, Boolean> isSuccess,
        Function<T, Map<String, Object>> others)
        throws CancelException {
      try {
        ApiResponse<T> answer = answered(call);
        boolean failed = Boolean.FALSE.equals(isSuccess.apply(answer.getData()));
        Map<String, Object> unknown = others.apply(answer.getData());
        if (failed || (unknown != null && unknown.get("error_code") != null)) {
          throw new RefusedException(
              "a failure inside a 200", 200, "", requestId(answer), answer.getData());
        }
        return answer;
      } catch (UnknownOutcomeException e) {
        throw e.unread();
      }
    }

    private <T> ApiResponse<T> answered(Connection.Call<T> call) throws CancelException {
      ApiResponse<T> answer = Connection.answer(call, this::failure);
      if (answer.getData() == null) {
        throw new UnknownOutcomeException("a 200 without a JSON object");
      }
      return answer;
    }
  }

  static String requestId(ApiResponse<?> answer) {
    return Connection.header(answer.getHeaders(), REQUEST_ID);
  }

  private static boolean texts(JsonNode tree, String... names) {
    return List.of(names).stream().allMatch(name -> tree.path(name).isTextual());
  }
}
