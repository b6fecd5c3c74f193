package calloff.consumer;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Holds the signers to every vector of spec/signing/. */
class VectorsTest {
  private static final Path FOLDER =
      Path.of(
          Optional.ofNullable(System.getenv("CALLOFF_VECTORS")).orElse("../../../spec/signing"));
  private static final Map<String, Signer> SIGNERS =
      Map.of(
          "q-sign", VectorsTest::qSign,
          "sdk-hmac-sha256", VectorsTest::sdkHmac,
          "sdk-hmac-sha256-derived", VectorsTest::sdkHmac);

  /** Gives the stages and the value of Authorization, as the vectors name them. */
  interface Signer {
    Map<String, String> sign(JsonNode vector, JsonNode message, JsonNode keys);
  }

  @ParameterizedTest
  @ValueSource(strings = {"q-sign", "sdk-hmac-sha256", "sdk-hmac-sha256-derived"})
  void vectorsAreOfEveryVerdict(String algorithm) {
    Set<String> verdicts = new TreeSet<>(vectors(algorithm).map(VectorsTest::verdict).toList());

    assertEquals(Set.of("acceptable", "must-refuse", "valid"), verdicts);
  }

  static Stream<Arguments> forSigners() {
    return all(vector -> !vector.has("not_for_signers"));
  }

  @ParameterizedTest(name = "{1}")
  @MethodSource("forSigners")
  void isSignedAsItsSenderSignedIt(Signer signer, JsonNode vector) {
    JsonNode keys =
        vector.path(vector.has("sender_credentials") ? "sender_credentials" : "credentials");
    Map<String, String> expected = new LinkedHashMap<>();
    vector
        .get("stages")
        .properties()
        .forEach(stage -> expected.put(stage.getKey(), stage.getValue().asText()));
    expected.put("authorization", vector.get("authorization").asText());

    assertEquals(expected, signer.sign(vector, vector.get("request"), keys));
  }

  /** A signature of the past is right in all but its time, and a signer knows no other time. */
  static Stream<Arguments> refused() {
    return all(
        vector ->
            verdict(vector).equals("must-refuse")
                && !vector.get("reason").asText().startsWith("time:"));
  }

  @ParameterizedTest(name = "{1}")
  @MethodSource("refused")
  void isNothingThatThisSignerWrites(Signer signer, JsonNode vector) {
    JsonNode arrives = vector.get("arrives");
    String presented =
        headers(arrives).stream()
            .filter(header -> header.getKey().equalsIgnoreCase("authorization"))
            .map(Map.Entry::getValue)
            .findFirst()
            .orElseGet(
                () -> URLDecoder.decode(arrives.get("target").asText(), StandardCharsets.UTF_8));
    String written;
    try {
      written = signer.sign(vector, arrives, vector.get("credentials")).get("authorization");
    } catch (IllegalArgumentException e) {
      return;
    }
    assertFalse(presented.endsWith(written));
  }

  private static Map<String, String> qSign(JsonNode vector, JsonNode message, JsonNode keys) {
    long start = vector.at("/time/start").asLong();
    long end = vector.at("/time/end").asLong();
    String keyTime = start + ";" + end;
    var request =
        new QSign.Request(
            message.get("method").asText(), message.get("target").asText(), headers(message));
    var signed =
        new QSign.Signed(texts(vector, "signed_headers"), texts(vector, "signed_parameters"));
    String id = keys.get("secret_id").asText();
    boolean masked = keys.has("sign_key");
    String signKey =
        masked
            ? keys.get("sign_key").asText()
            : QSign.signKey(keys.get("secret_key").asText(), keyTime);
    QSign.Stages stages = QSign.stages(request, signKey, keyTime, signed);
    Map<String, String> all = new LinkedHashMap<>();
    all.put("http_string", stages.httpString());
    all.put("http_string_sha1", stages.httpStringSha1());
    all.put("string_to_sign", stages.stringToSign());
    all.put("sign_key", signKey);
    all.put("signature", stages.signature());
    all.put(
        "authorization",
        masked
            ? QSign.authorization(id, keyTime, signed, stages.signature())
            : QSign.authorization(
                request, id, keys.get("secret_key").asText(), start, end, signed));
    return all;
  }

  private static Map<String, String> sdkHmac(JsonNode vector, JsonNode message, JsonNode keys) {
    var request =
        new SdkHmacSha256.Request(
            message.get("method").asText(),
            message.get("target").asText(),
            headers(message),
            message.get("body").asText());
    Optional<String> scope = Optional.ofNullable(vector.get("scope")).map(JsonNode::asText);
    List<String> names = texts(vector, "signed_headers");
    String secretKey = keys.get("secret_key").asText();
    SdkHmacSha256.Stages stages = SdkHmacSha256.stages(request, secretKey, names, scope);
    Map<String, String> all = new LinkedHashMap<>();
    all.put("canonical_request", stages.canonicalRequest());
    all.put("canonical_request_sha256", stages.canonicalRequestSha256());
    all.put("string_to_sign", stages.stringToSign());
    stages.signKey().ifPresent(key -> all.put("sign_key", key));
    all.put("signature", stages.signature());
    all.put(
        "authorization",
        SdkHmacSha256.authorization(
            request, keys.get("access_key").asText(), secretKey, names, scope));
    return all;
  }

  private static Stream<Arguments> all(java.util.function.Predicate<JsonNode> wanted) {
    return SIGNERS.entrySet().stream()
        .flatMap(
            signer ->
                vectors(signer.getKey())
                    .filter(wanted)
                    .map(vector -> arguments(signer.getValue(), named(signer.getKey(), vector))));
  }

  private static Named<JsonNode> named(String algorithm, JsonNode vector) {
    return Named.of(algorithm + " " + vector.get("name").asText(), vector);
  }

  private static Stream<JsonNode> vectors(String algorithm) {
    try {
      JsonNode file = new ObjectMapper().readTree(FOLDER.resolve(algorithm + ".json").toFile());
      return StreamSupport.stream(file.get("cases").spliterator(), false);
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String verdict(JsonNode vector) {
    return vector.get("verdict").asText();
  }

  private static List<Map.Entry<String, String>> headers(JsonNode message) {
    return StreamSupport.stream(message.get("headers").spliterator(), false)
        .map(header -> Map.entry(header.get(0).asText(), header.get(1).asText()))
        .toList();
  }

  private static List<String> texts(JsonNode node, String name) {
    return StreamSupport.stream(node.get(name).spliterator(), false).map(JsonNode::asText).toList();
  }
}
