package calloff.consumer;

import java.util.regex.Pattern;

/** Refuses what cannot be sent, before anything is, and without quoting it. */
final class Checks {
  private static final Pattern SECRET = Pattern.compile("[!-~]+");

  private Checks() {}

  // #region id
  /** Refuses an id that is no path segment of its own; generated code does not look. */
  static String id(String what, Pattern pattern, String value) {
    if (value == null || !pattern.matcher(value).matches()) {
      throw new IllegalArgumentException(what + " must match " + pattern);
    }
    return value;
  }

  // #endregion

  /** Refuses what no header can carry, before the HTTP client does, which would quote it. */
  static String secret(String what, String value) {
    if (value == null || !SECRET.matcher(value).matches()) {
      throw new IllegalArgumentException(
          what + " must be printable ASCII without blanks, and not empty");
    }
    return value;
  }
}
