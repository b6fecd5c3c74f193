package calloff.consumer;

import java.util.Optional;

/** What proves to DLI who asks. */
public sealed interface DliCredential {
  /** A token of IAM. */
  record Token(String token) implements DliCredential {
    public Token {
      Checks.secret("token", token);
    }

    @Override
    public String toString() {
      return "Token[hidden]";
    }
  }

  /**
   * A pair of access key and secret key (AK/SK).
   *
   * @param securityToken of a temporary key
   */
  record AccessKey(String accessKey, String secretKey, Optional<String> securityToken)
      implements DliCredential {
    public AccessKey {
      Checks.secret("accessKey", accessKey);
      Checks.secret("secretKey", secretKey);
      securityToken.ifPresent(value -> Checks.secret("securityToken", value));
    }

    public AccessKey(String accessKey, String secretKey) {
      this(accessKey, secretKey, Optional.empty());
    }

    @Override
    public String toString() {
      return "AccessKey[hidden]";
    }
  }
}
