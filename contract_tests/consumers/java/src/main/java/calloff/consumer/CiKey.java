package calloff.consumer;

import java.util.Optional;

/**
 * A key of Tencent Cloud.
 *
 * @param token of a temporary key
 */
public record CiKey(String secretId, String secretKey, Optional<String> token) {
  public CiKey {
    Checks.secret("secretId", secretId);
    Checks.secret("secretKey", secretKey);
    token.ifPresent(value -> Checks.secret("token", value));
  }

  public CiKey(String secretId, String secretKey) {
    this(secretId, secretKey, Optional.empty());
  }

  @Override
  public String toString() {
    return "CiKey[hidden]";
  }
}
