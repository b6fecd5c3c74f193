package calloff.consumer;

/**
 * The service said no: by a 4xx, a redirect, or a failure inside a 200. The status decides, so a
 * 4xx whose body cannot be read is one too.
 */
public final class RefusedException extends CancelException {
  private static final long serialVersionUID = 1;

  RefusedException(int status, String code, String requestId, Object body) {
    super("the service refused with", status, code, requestId, body);
  }

  /** Says what the refusal is where neither status nor code does. */
  RefusedException(String reason, int status, String code, String requestId, Object body) {
    super("the service refused, " + reason + ", with", status, code, requestId, body);
  }
}
