package calloff.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.ResolverStyle;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs requests as Huawei Cloud and Open Telekom Cloud demand (SDK-HMAC-SHA256). Copy this file:
 * it needs Java 17 alone.
 *
 * @see <a
 *     href="https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm-001.html">The
 *     rules</a>
 */
public final class SdkHmacSha256 {
  /**
   * A request as it will be on the wire; the target is path and query, percent-encoded. It carries
   * X-Sdk-Date.
   */
  public record Request(
      String method, String target, List<Map.Entry<String, String>> headers, String body) {}

  /**
   * Every stage of a signature, for whoever has to find out where two signers disagree.
   *
   * @param signKey in the derived form; as secret as the secret key for a day
   */
  public record Stages(
      String canonicalRequest,
      String canonicalRequestSha256,
      String stringToSign,
      Optional<String> signKey,
      String signature) {
    /** Shows no stage: a key is among them, and a token where one is signed. */
    @Override
    public String toString() {
      return "Stages[hidden]";
    }
  }

  private static final String ALGORITHM = "SDK-HMAC-SHA256";
  private static final DateTimeFormatter DATE =
      DateTimeFormatter.ofPattern("uuuuMMdd'T'HHmmss'Z'", Locale.ROOT)
          .withResolverStyle(ResolverStyle.STRICT)
          .withZone(ZoneOffset.UTC);

  private SdkHmacSha256() {}

  /** Writes a moment as X-Sdk-Date wants it. */
  public static String date(Instant moment) {
    return DATE.format(moment);
  }

  /** Returns the value of the header Authorization; X-Sdk-Date must be among the signed headers. */
  public static String authorization(
      Request request, String accessKey, String secretKey, Collection<String> signedHeaders) {
    return authorization(request, accessKey, secretKey, signedHeaders, Optional.empty());
  }

  /** The same; a scope (day, region, service, sdk_request) makes it the derived form. */
  static String authorization(
      Request request,
      String accessKey,
      String secretKey,
      Collection<String> signedHeaders,
      Optional<String> scope) {
    if (!accessKey.matches("[!-+\\--~]+") || !secretKey.matches("[ -~]+")) {
      throw new IllegalArgumentException(
          "access key and secret key must be printable ASCII; the first without blanks and commas");
    }
    String who =
        scope.map(day -> "Credential=" + accessKey + "/" + day).orElse("Access=" + accessKey);
    String names = String.join(";", lowered(signedHeaders));
    String signature = stages(request, secretKey, signedHeaders, scope).signature();
    return ALGORITHM + " " + who + ", SignedHeaders=" + names + ", Signature=" + signature;
  }

  /** Computes the stages; what is to be signed must be in the request exactly once. */
  static Stages stages(
      Request request, String secretKey, Collection<String> signedHeaders, Optional<String> scope) {
    Collection<String> names = lowered(signedHeaders);
    String date = names.contains("x-sdk-date") ? only(request, "x-sdk-date") : "";
    checkDate(date, scope);
    String[] target = request.target().split("\\?", 2);
    String path =
        Arrays.stream(decoded(target[0]).split("/", -1))
            .map(SdkHmacSha256::encoded)
            .collect(joining("/"));
    String canonicalRequest =
        String.join(
            "\n",
            request.method().toUpperCase(Locale.ROOT),
            path.endsWith("/") ? path : path + "/",
            target.length == 1 ? "" : canonicalQuery(target[1]),
            names.stream().map(name -> name + ":" + only(request, name)).collect(joining("\n")),
            "",
            String.join(";", names),
            payloadHash(request));
    String hash = hex(sha256(canonicalRequest));
    String stringToSign =
        String.join("\n", ALGORITHM, date) + scope.map(day -> "\n" + day).orElse("") + "\n" + hash;
    Optional<byte[]> derived = scope.map(day -> derivedKey(secretKey, day));
    byte[] key = derived.orElseGet(() -> secretKey.getBytes(UTF_8));
    String signature = hex(hmacSha256(key, stringToSign));
    return new Stages(
        canonicalRequest, hash, stringToSign, derived.map(SdkHmacSha256::hex), signature);
  }

  private static void checkDate(String date, Optional<String> scope) {
    try {
      DATE.parse(date);
    } catch (DateTimeException e) {
      throw new IllegalArgumentException(
          "X-Sdk-Date must be signed, and be a moment written YYYYMMDDTHHMMSSZ in UTC", e);
    }
    if (!scope.orElse(date.substring(0, 8) + "/").startsWith(date.substring(0, 8) + "/")) {
      throw new IllegalArgumentException("the scope must be of the day of X-Sdk-Date");
    }
  }

  /** Sorted by name, then value, in the order of their UTF-8 bytes, and only then encoded. */
  private static String canonicalQuery(String query) {
    Comparator<String> byBytes =
        (one, other) -> Arrays.compareUnsigned(one.getBytes(UTF_8), other.getBytes(UTF_8));
    return Arrays.stream(query.split("&"))
        .filter(piece -> !piece.isEmpty())
        .map(piece -> piece.split("=", 2))
        .map(pair -> Map.entry(decoded(pair[0]), pair.length == 1 ? "" : decoded(pair[1])))
        .sorted(
            Map.Entry.<String, String>comparingByKey(byBytes)
                .thenComparing(Map.Entry.comparingByValue(byBytes)))
        .map(pair -> encoded(pair.getKey()) + "=" + encoded(pair.getValue()))
        .collect(joining("&"));
  }

  private static String payloadHash(Request request) {
    boolean unsigned =
        request.headers().stream()
            .filter(header -> header.getKey().equalsIgnoreCase("x-sdk-content-sha256"))
            .anyMatch(header -> header.getValue().equals("UNSIGNED-PAYLOAD"));
    // The official SDK hashes an empty body all the same.
    return unsigned && !request.body().isEmpty() ? "UNSIGNED-PAYLOAD" : hex(sha256(request.body()));
  }

  private static String only(Request request, String name) {
    var found =
        request.headers().stream()
            .filter(header -> header.getKey().equalsIgnoreCase(name))
            .toList();
    if (found.size() != 1 || found.get(0).getValue().matches("(?s).*[\r\n\0].*")) {
      throw new IllegalArgumentException(
          "header " + name + " is to be signed and must be in the request once, on one line");
    }
    return found.get(0).getValue().replaceAll("^[ \t]+|[ \t]+$", "");
  }

  private static Collection<String> lowered(Collection<String> names) {
    return new TreeSet<>(names.stream().map(name -> name.toLowerCase(Locale.ROOT)).toList());
  }

  private static String encoded(String text) {
    String form = URLEncoder.encode(text, UTF_8);
    return form.replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
  }

  private static String decoded(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), UTF_8);
  }

  private static byte[] derivedKey(String secretKey, String scope) {
    byte[] key = ("SDK" + secretKey).getBytes(UTF_8);
    for (String part : scope.split("/", -1)) {
      key = hmacSha256(key, part);
    }
    return key;
  }

  private static byte[] sha256(String text) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(text.getBytes(UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static byte[] hmacSha256(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(text.getBytes(UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
