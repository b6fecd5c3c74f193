package calloff.consumer;

/** The service said no: by a 4xx, a redirect, or a failure inside a 200. */
public final class RefusedException extends CancelException {
  private static final long serialVersionUID = 1;

  RefusedException(int status, String code, String requestId, Object body) {
    super("the service refused with", status, code, requestId, body);
  }
}
