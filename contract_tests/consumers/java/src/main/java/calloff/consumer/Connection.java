package calloff.consumer;

import calloff.clients.ApiClient;
import calloff.clients.ApiException;
import calloff.clients.ApiResponse;
import com.fasterxml.jackson.annotation.JsonSetter;
import com.fasterxml.jackson.annotation.Nulls;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * Where a service is, and what the generated clients leave to their callers.
 *
 * @param endpoint scheme, host and port, such as {@code https://dli.eu-de.otc.t-systems.com}
 * @param timeout after so long without a whole answer the outcome is unknown
 */
public record Connection(URI endpoint, Duration timeout) {
  private static final Pattern ENDPOINT =
      Pattern.compile("https?://([A-Za-z0-9.-]+|\\[[0-9A-Fa-f:.]+])(:[0-9]{1,5})?/?");

  public Connection {
    if (!ENDPOINT.matcher(endpoint.toString()).matches() || endpoint.getHost() == null) {
      throw new IllegalArgumentException(
          "the endpoint must be scheme, host and port of http or https");
    }
  }

  /** Takes a timeout of 30 seconds. */
  public Connection(String endpoint) {
    this(URI.create(endpoint), Duration.ofSeconds(30));
  }

  /** Gives the headers that prove who asks, for a request as it will be sent. */
  interface Proof {
    Map<String, String> of(HttpRequest unsigned);
  }

  ApiClient connect(Proof proof) {
    return connect(proof, BoundedHttpClient.MAX_BODY);
  }

  // #region connect
  ApiClient connect(Proof proof, int maxBodyOf200) {
    HttpClient.Builder builder =
        HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(timeout);
    HttpClient http = new BoundedHttpClient(builder.build(), timeout, maxBodyOf200);
    String origin = endpoint.getScheme() + "://" + endpoint.getRawAuthority();
    ApiClient client =
        new ApiClient(builder, mapper(), origin) {
          @Override
          public HttpClient getHttpClient() {
            return http;
          }
        };
    client.setReadTimeout(timeout);
    client.setRequestInterceptor(
        request -> {
          // The client writes `?cancel=`, the vendor's samples `?cancel`: the same to a signature.
          String uri = request.copy().build().uri().toString();
          request.uri(URI.create(uri.replaceFirst("\\?cancel=$", "?cancel")));
          proof.of(request.copy().build()).forEach(request::setHeader);
        });
    return client;
  }

  // #endregion

  // #region mapper
  /**
   * Takes a value for what it is: Jackson would read 1 as true, and null as if it were not there.
   */
  static ObjectMapper mapper() {
    return JsonMapper.builder()
        .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
        .withConfigOverride(
            Boolean.class, each -> each.setSetterInfo(JsonSetter.Value.forValueNulls(Nulls.FAIL)))
        .build();
  }

  // #endregion

  interface Call<T> {
    ApiResponse<T> send() throws ApiException;
  }

  /** Reads what a service answered in place of a 200. */
  interface Failure {
    CancelException of(int status, Map<String, List<String>> headers, String body);
  }

  // #region answer
  /** Sends a request; gives the answer of a 200, and one of the two exceptions for all else. */
  static <T> ApiResponse<T> answer(Call<T> call, Failure failure) throws CancelException {
    try {
      ApiResponse<T> answer = call.send();
      if (answer.getStatusCode() == 200) {
        return answer;
      }
      throw failure.of(answer.getStatusCode(), answer.getHeaders(), "");
    } catch (ApiException e) {
      if (e.getCode() == 0) {
        throw new UnknownOutcomeException(reason(e.getCause()));
      }
      String body = e.getResponseBody() == null ? "" : e.getResponseBody();
      throw failure.of(e.getCode(), e.getResponseHeaders().map(), body);
    }
  }

  // #endregion

  private static String reason(Throwable cause) {
    // Of a body that is read the JDK tells the reason one level down.
    if (cause instanceof HttpTimeoutException || cause.getCause() instanceof HttpTimeoutException) {
      return "no answer in time";
    }
    if (cause instanceof JsonProcessingException) {
      return "the answer is not what the contract says";
    }
    return "the connection failed, " + cause.getClass().getSimpleName();
  }

  /** Returns host and port as the HTTP client writes them into the header Host. */
  static String host(HttpRequest request) {
    URI uri = request.uri();
    int standard = uri.getScheme().equals("https") ? 443 : 80;
    boolean plain = uri.getPort() == -1 || uri.getPort() == standard;
    return plain ? uri.getHost() : uri.getHost() + ":" + uri.getPort();
  }

  /** Returns path and query as they will be on the wire. */
  static String target(HttpRequest request) {
    String query = request.uri().getRawQuery();
    return request.uri().getRawPath() + (query == null ? "" : "?" + query);
  }

  /** Returns a header of an answer, empty where it is not there. */
  static String header(Map<String, List<String>> headers, String name) {
    return headers.entrySet().stream()
        .filter(header -> header.getKey().equalsIgnoreCase(name))
        .flatMap(header -> header.getValue().stream())
        .findFirst()
        .orElse("");
  }
}
