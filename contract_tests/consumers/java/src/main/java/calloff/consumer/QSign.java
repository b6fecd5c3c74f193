package calloff.consumer;

import static java.nio.charset.StandardCharsets.UTF_8;
import static java.util.stream.Collectors.joining;

import java.net.URLDecoder;
import java.net.URLEncoder;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Signs requests as Tencent Cloud COS and CI demand (q-sign-algorithm=sha1). Copy this file: it
 * needs Java 17 alone.
 *
 * @see <a href="https://www.tencentcloud.com/document/product/436/7778">The rules</a>
 */
public final class QSign {
  /** A request as it will be on the wire; the target is path and query, percent-encoded. */
  public record Request(String method, String target, List<Map.Entry<String, String>> headers) {}

  /** What the signature protects: plain names, in any order and case. */
  public record Signed(Collection<String> headers, Collection<String> parameters) {}

  /** Every stage of a signature, for whoever has to find out where two signers disagree. */
  public record Stages(
      String httpString, String httpStringSha1, String stringToSign, String signature) {
    /** Shows no stage: a token is among them where one is signed. */
    @Override
    public String toString() {
      return "Stages[hidden]";
    }
  }

  private QSign() {}

  /** Returns the value of the header Authorization, valid between two moments in Unix seconds. */
  public static String authorization(
      Request request, String secretId, String secretKey, long start, long end, Signed signed) {
    if (start < 0 || start >= end) {
      throw new IllegalArgumentException("a signature must end after it starts, in Unix seconds");
    }
    if (!secretId.matches("[!-%'-~]+") || !secretKey.matches("[ -~]+")) {
      throw new IllegalArgumentException(
          "secret id and secret key must be printable ASCII; the id without blanks and &");
    }
    String keyTime = start + ";" + end;
    Stages stages = stages(request, signKey(secretKey, keyTime), keyTime, signed);
    return authorization(secretId, keyTime, signed, stages.signature());
  }

  static String authorization(String secretId, String keyTime, Signed signed, String signature) {
    return String.join(
        "&",
        "q-sign-algorithm=sha1",
        "q-ak=" + secretId,
        "q-sign-time=" + keyTime,
        "q-key-time=" + keyTime,
        "q-header-list=" + String.join(";", listed(signed.headers())),
        "q-url-param-list=" + String.join(";", listed(signed.parameters())),
        "q-signature=" + signature);
  }

  /** Returns the key of one validity: as secret as the secret key while that lasts. */
  public static String signKey(String secretKey, String keyTime) {
    return hmacSha1(secretKey, keyTime);
  }

  /** Computes the stages; what is to be signed must be in the request exactly once. */
  public static Stages stages(Request request, String signKey, String keyTime, Signed signed) {
    String[] target = request.target().split("\\?", 2);
    List<Map.Entry<String, String>> parameters =
        Arrays.stream(target.length == 1 ? new String[0] : target[1].split("&"))
            .filter(piece -> !piece.isEmpty())
            .map(piece -> piece.split("=", 2))
            .map(pair -> Map.entry(decoded(pair[0]), pair.length == 1 ? "" : decoded(pair[1])))
            .toList();
    String httpString =
        String.join(
            "\n",
            request.method().toLowerCase(Locale.ROOT),
            decoded(target[0]),
            selected("parameter", parameters, signed.parameters()),
            selected("header", request.headers(), signed.headers()),
            "");
    String httpStringSha1 = sha1(httpString);
    String stringToSign = "sha1\n" + keyTime + "\n" + httpStringSha1 + "\n";
    // The key is the hexadecimal text, not the bytes that it stands for.
    return new Stages(httpString, httpStringSha1, stringToSign, hmacSha1(signKey, stringToSign));
  }

  private static String selected(
      String kind, List<Map.Entry<String, String>> pairs, Collection<String> names) {
    return listed(names).stream()
        .map(name -> name + "=" + encoded(only(kind, pairs, name)))
        .collect(joining("&"));
  }

  private static String only(String kind, List<Map.Entry<String, String>> pairs, String name) {
    var found = pairs.stream().filter(pair -> lowered(pair.getKey()).equals(name)).toList();
    if (found.size() != 1) {
      throw new IllegalArgumentException(
          kind + " " + name + " is to be signed and must be in the request once");
    }
    String value = found.get(0).getValue();
    return kind.equals("header") ? value.replaceAll("^[ \t]+|[ \t]+$", "") : value;
  }

  private static Collection<String> listed(Collection<String> names) {
    return new TreeSet<>(names.stream().map(QSign::lowered).toList());
  }

  private static String lowered(String name) {
    return encoded(name).toLowerCase(Locale.ROOT);
  }

  private static String encoded(String text) {
    String form = URLEncoder.encode(text, UTF_8);
    return form.replace("+", "%20").replace("*", "%2A").replace("%7E", "~");
  }

  private static String decoded(String text) {
    return URLDecoder.decode(text.replace("+", "%2B"), UTF_8);
  }

  private static String sha1(String text) {
    try {
      byte[] digest = MessageDigest.getInstance("SHA-1").digest(text.getBytes(UTF_8));
      return HexFormat.of().formatHex(digest);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  private static String hmacSha1(String key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA1");
      mac.init(new SecretKeySpec(key.getBytes(UTF_8), "HmacSHA1"));
      return HexFormat.of().formatHex(mac.doFinal(text.getBytes(UTF_8)));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }
}
